//! Tests that only what a key has signed verifies, to the bit.
use super::*;
use proptest::prelude::*;

fn key(seed: u8) -> Key {
    Key::from_bytes(&[seed; KEY_BYTES])
}

fn claims() -> Claims {
    Claims {
        plugin_id: "audit-log".to_owned(),
        version: "1.0.0".to_owned(),
        capabilities: vec!["content:read".to_owned()],
        allowed_hosts: vec![],
        storage_collections: vec!["entries".to_owned()],
        load: u64::MAX,
    }
}

#[test]
fn a_token_has_the_documented_form() {
    let token = key(7).sign(&claims());
    let (first, mac) = token.expose().split_once('.').unwrap();
    assert_eq!(
        String::from_utf8(URL_SAFE_NO_PAD.decode(first).unwrap()).unwrap(),
        r#"{"pluginId":"audit-log","version":"1.0.0","capabilities":["content:read"],"allowedHosts":[],"storageCollections":["entries"],"load":18446744073709551615}"#
    );
    // Computed apart from this code: node's crypto.createHmac("sha256", Buffer.alloc(32, 7)) over the first part.
    assert_eq!(mac, "06YaVxAEMGG5uu7H7yPXoB3XNxhMiCAlFz8do0llkAY");
}

#[test]
fn neither_key_nor_token_prints_itself() {
    let token = key(7).sign(&claims());
    assert_eq!(
        format!("{:?} {:#?}", key(7), key(7)),
        "Key(redacted) Key(redacted)"
    );
    assert_eq!(
        format!("{:?} {:#?}", token, Some(&token)),
        "Token(redacted) Some(\n    Token(redacted),\n)"
    );
}

#[test]
fn two_generated_keys_differ() {
    let token = Key::generate().unwrap().sign(&claims());
    assert_eq!(Key::generate().unwrap().verify(token.expose()), None);
}

#[test]
fn every_flip_of_a_bit_and_every_cut_is_refused() {
    let token = key(7).sign(&claims());
    let bytes = token.expose().as_bytes();
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.to_vec();
            flipped[place] ^= 1 << bit;
            // What is no longer UTF-8 cannot be asked about; replaced, it must fail, too.
            assert_eq!(
                key(7).verify(&String::from_utf8_lossy(&flipped)),
                None,
                "byte {place} bit {bit}"
            );
        }
        assert_eq!(key(7).verify(&token.expose()[..place]), None, "cut at {place}");
        assert_eq!(
            key(7).verify(&token.expose()[place + 1..]),
            None,
            "cut before {place}"
        );
    }
}

#[test]
fn another_spelling_of_the_same_bytes_is_refused() {
    let token = key(7).sign(&claims());
    let (first, mac) = token.expose().split_once('.').unwrap();
    // 32 bytes are 43 characters, of which the last carries two bits that mean nothing.
    let last = mac.chars().last().unwrap();
    for stray in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        .chars()
        .filter(|&c| c != last)
    {
        assert_eq!(key(7).verify(&format!("{first}.{}{stray}", &mac[..42])), None);
    }
    for other in [
        format!("{first}.{mac}="),
        format!("{first}=.{mac}"),
        format!("{first}.{mac} "),
        format!(" {first}.{mac}"),
        format!("{first}.{mac}\n"),
        format!("{first}.{mac}."),
        format!("{first}.{mac}.{mac}"),
        format!("{first}..{mac}"),
        format!("{first}{mac}"),
        format!("{mac}.{first}"),
        format!("{first}."),
        format!(".{mac}"),
        format!("{first}.{}", mac.replace('-', "+").replace('_', "/") + "A"),
        ".".to_owned(),
        String::new(),
    ] {
        assert_eq!(key(7).verify(&other), None, "{other}");
    }
    assert_eq!(key(7).verify(token.expose()), Some(claims()));
}

#[test]
fn what_is_signed_but_is_no_claims_is_refused() {
    for payload in ["", "{}", "null", r#"{"pluginId":"a"}"#] {
        let first = URL_SAFE_NO_PAD.encode(payload);
        let mac = key(7).0.chain_update(first.as_bytes()).finalize().into_bytes();
        assert_eq!(
            key(7).verify(&format!("{first}.{}", URL_SAFE_NO_PAD.encode(mac))),
            None
        );
    }
}

#[test]
fn a_token_past_the_bound_is_not_looked_at() {
    let large = Claims {
        plugin_id: "x".repeat(MAX_TOKEN_BYTES),
        ..claims()
    };
    assert_eq!(key(7).verify(key(7).sign(&large).expose()), None);
    let fits = Claims {
        plugin_id: "x".repeat(MAX_TOKEN_BYTES / 2),
        ..claims()
    };
    assert_eq!(key(7).verify(key(7).sign(&fits).expose()), Some(fits));
}

fn any_claims() -> impl Strategy<Value = Claims> {
    let list = || prop::collection::vec(any::<String>(), 0..4);
    (
        any::<String>(),
        any::<String>(),
        list(),
        list(),
        list(),
        any::<u64>(),
    )
        .prop_map(
            |(plugin_id, version, capabilities, allowed_hosts, storage_collections, load)| Claims {
                plugin_id,
                version,
                capabilities,
                allowed_hosts,
                storage_collections,
                load,
            },
        )
}

proptest! {
    #[test]
    fn what_was_signed_verifies_to_the_same_claims(claims in any_claims(), seed in any::<u8>()) {
        let token = key(seed).sign(&claims);
        prop_assert_eq!(key(seed).verify(token.expose()), Some(claims));
        prop_assert_eq!(key(!seed).verify(token.expose()), None);
    }

    #[test]
    fn garbage_is_refused(text in any::<String>(), first in "[A-Za-z0-9_-]{0,80}", mac in "[A-Za-z0-9_-]{43}") {
        prop_assert_eq!(key(7).verify(&text), None);
        prop_assert_eq!(key(7).verify(&format!("{first}.{mac}")), None);
    }

    #[test]
    fn one_plugins_signature_does_not_carry_anothers_claims(one in any_claims(), other in any_claims()) {
        let (one_token, other_token) = (key(7).sign(&one), key(7).sign(&other));
        let (first, _) = one_token.expose().split_once('.').unwrap();
        let (_, mac) = other_token.expose().split_once('.').unwrap();
        let mixed = key(7).verify(&format!("{first}.{mac}"));
        prop_assert_eq!(mixed, (one == other).then_some(one));
    }
}
