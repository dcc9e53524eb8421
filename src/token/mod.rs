//! Signed identity of a loaded plugin: `base64url(claims).base64url(HMAC-SHA256 of the first part)`.

mod secret;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

pub(crate) use self::secret::Secret;

/// The longest token that is looked at, in bytes. Claims hold a plugin's declared names, a few hundred bytes in real
/// ones; the bound keeps whoever sends garbage from having megabytes of it hashed.
pub const MAX_TOKEN_BYTES: usize = 256 * 1024;

const KEY_BYTES: usize = 32;
/// HMAC pads a key to the block of its hash with zeros (RFC 2104).
const BLOCK_BYTES: usize = 64;

/// The key of one runner. Random, lives in memory only, and cannot be printed.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

/// Who a token speaks for, and what was granted when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Claims {
    pub plugin_id: String,
    pub version: String,
    /// Today's names.
    pub capabilities: Vec<String>,
    pub allowed_hosts: Vec<String>,
    pub storage_collections: Vec<String>,
    /// Which load of the plugin it was made for: a token is dead when that load is.
    pub load: u64,
}

/// A token: a secret, so it prints only through [`Token::expose`].
#[derive(Clone)]
pub struct Token(String);

impl Key {
    /// A new key from the system's random numbers.
    ///
    /// # Errors
    /// When the system has none to give.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self::from_bytes(&bytes))
    }

    fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Self {
        let mut block = [0; BLOCK_BYTES];
        block[..KEY_BYTES].copy_from_slice(bytes);
        Self(Hmac::new(&block.into()))
    }

    /// The token of these claims. One that would be longer than [`MAX_TOKEN_BYTES`] does not verify.
    pub fn sign(&self, claims: &Claims) -> Token {
        // Strings and numbers always serialise; if they did not, what came out would verify as nothing.
        let mut token = URL_SAFE_NO_PAD.encode(serde_json::to_vec(claims).unwrap_or_default());
        let mac = self
            .0
            .clone()
            .chain_update(token.as_bytes())
            .finalize()
            .into_bytes();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(mac, &mut token);
        Token(token)
    }

    /// The claims of a token that this key has signed, `None` for anything else. Takes the same time for every wrong
    /// signature, and accepts just one spelling of a token: no padding, no stray bits, no other alphabet.
    pub fn verify(&self, token: &str) -> Option<Claims> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let (claims, mac) = token.split_once('.')?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        self.0
            .clone()
            .chain_update(claims.as_bytes())
            .verify_slice(&mac)
            .ok()?;
        // Only now, so that nothing but our own words is ever parsed.
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }
}

impl Token {
    #[cfg(test)]
    pub(crate) fn for_tests(text: &str) -> Self {
        Self(text.into())
    }

    /// The token itself, for the one header that carries it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(redacted)")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
