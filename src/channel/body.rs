//! A body that the guest sends, read to its end.

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// In bytes.
    TooLarge {
        limit: usize,
    },
    Broken,
}

/// All of it in one piece that is nobody else's. One whose length is said is put where it stays; each of its pieces is given
/// back before the next one is read, so that hyper reads all of them into the same memory.
pub(crate) async fn whole(mut body: Incoming, limit: usize) -> Result<Vec<u8>, BodyError> {
    let too_large = BodyError::TooLarge { limit };
    let said = body.size_hint();
    let length = usize::try_from(said.lower()).map_err(|_| too_large)?;
    if length > limit {
        return Err(too_large);
    }
    let mut all = Vec::with_capacity(length);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| BodyError::Broken)?;
        // Trailers are not read.
        let Ok(piece) = frame.into_data() else { continue };
        if all.len() + piece.len() > limit {
            return Err(too_large);
        }
        all.extend_from_slice(&piece);
    }
    Ok(all)
}
