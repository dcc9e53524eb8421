//! Where there is no epoll: the io thread hears all that plugins say.

use std::convert::Infallible;

#[derive(Debug)]
pub struct Ear(Infallible);

impl Ear {
    pub(crate) fn heard(&self) -> Vec<u32> {
        match self.0 {}
    }
}
