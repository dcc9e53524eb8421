//! How a plugin's process is started with nothing but what every system has: its configuration on standard input, its port
//! told on standard output, its handle to end it.

mod child;
mod config;
#[cfg(unix)]
mod guard;
mod message;
mod pipes;

use std::io;
use std::process::{Child, Stdio};

pub(super) use self::child::Ward;
use self::config::Ports;
use super::Spawned;
use super::config::Config;
use super::launch::Programs;
use super::loopback::Keys;
use super::output::Source;
use super::process::{Handle, Process};
use super::readiness::{Announcement, Opening};
use super::spawner::on_spawner;
use crate::token::Secret;

/// A child without a jail, and our ends of what connects us. `backing` is the backing server's port.
pub(super) async fn spawn(programs: &Programs, config: &Config<'_>, backing: u16) -> io::Result<Spawned> {
    let keys = Keys::generate().map_err(io::Error::other)?;
    let socket = Secret::generate().map_err(io::Error::other)?;
    let configuration = config::encode(
        config,
        &Ports {
            socket: &socket,
            keys: &keys,
            backing,
        },
    );
    let programs = programs.clone();
    let started = on_spawner(move || start(&programs)).await?;
    let ward = Ward::new(started)?;
    let (pipes, exit) = ward.watch()?;
    let process = Process::new(ward.pid(), Handle::Ward(ward), exit);
    if let Some(stdin) = pipes.stdin {
        pipes::write(stdin, configuration)?;
    }
    let (announcement, port) = Announcement::awaited(socket);
    Ok(Spawned {
        process,
        opening: Opening::Announced { port, keys },
        stdout: Source::read(pipes::read(pipes.stdout)?).with(announcement),
        stderr: Source::read(pipes::read(pipes.stderr)?),
    })
}

/// A child that is killed when it is dropped before anybody watches it: its start may have been given up in the meantime.
#[derive(Debug)]
struct Started(Option<Child>);

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // It may have ended by itself.
            let _ = child.kill();
            #[cfg(unix)]
            let _retired = guard::release(child.id());
            let _ = child.wait();
        }
    }
}

fn start(programs: &Programs) -> io::Result<Started> {
    let mut command = programs.command_apart(&programs.workerd);
    command
        .args(["serve", "--binary", "--control-fd=1", "-"])
        .stdin(Stdio::piped());
    let started = Started(Some(command.spawn()?));
    if let Some(child) = &started.0 {
        end_with_host(programs, child)?;
    }
    Ok(started)
}

/// Sees to it that it does not outlive Node's process, however that ends.
#[cfg(unix)]
fn end_with_host(programs: &Programs, child: &Child) -> io::Result<()> {
    guard::watch_over(programs, child.id())
        .map_err(|error| io::Error::new(error.kind(), format!("its watchdog can't be started: {error}")))
}

#[cfg(windows)]
fn end_with_host(_: &Programs, child: &Child) -> io::Result<()> {
    crate::sys::end_with_this_process(std::os::windows::io::AsHandle::as_handle(child))
}
