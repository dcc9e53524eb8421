//! What a plugin may do: EmDash's capability names, of today and of before.
use std::collections::BTreeSet;
use std::fmt;

/// A capability that the bridge checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    ContentRead,
    ContentWrite,
    MediaRead,
    MediaWrite,
    MediaBytesRead,
    UsersRead,
    TaxonomiesRead,
    NetworkRequest,
    NetworkRequestUnrestricted,
    EmailSend,
}

/// Every capability; a name of EmDash's 0.32 to 0.34 (`plugin-types`) that is not among them is kept as it is.
const ALL: [Capability; 10] = [
    Capability::ContentRead,
    Capability::ContentWrite,
    Capability::MediaRead,
    Capability::MediaWrite,
    Capability::MediaBytesRead,
    Capability::UsersRead,
    Capability::TaxonomiesRead,
    Capability::NetworkRequest,
    Capability::NetworkRequestUnrestricted,
    Capability::EmailSend,
];

/// Names that EmDash still accepts and hands over as they stand in the manifest.
const DEPRECATED_NAMES: [(&str, Capability); 7] = [
    ("read:content", Capability::ContentRead),
    ("write:content", Capability::ContentWrite),
    ("read:media", Capability::MediaRead),
    ("write:media", Capability::MediaWrite),
    ("read:users", Capability::UsersRead),
    ("network:fetch", Capability::NetworkRequest),
    ("network:fetch:any", Capability::NetworkRequestUnrestricted),
];

impl Capability {
    /// The capability of this name, today's or a deprecated one.
    pub fn parse(name: &str) -> Option<Self> {
        let today = ALL.into_iter().find(|capability| capability.name() == name);
        today.or_else(|| {
            DEPRECATED_NAMES
                .iter()
                .find(|(old, _)| *old == name)
                .map(|&(_, capability)| capability)
        })
    }

    /// Today's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ContentRead => "content:read",
            Self::ContentWrite => "content:write",
            Self::MediaRead => "media:read",
            Self::MediaWrite => "media:write",
            Self::MediaBytesRead => "media:bytes:read",
            Self::UsersRead => "users:read",
            Self::TaxonomiesRead => "taxonomies:read",
            Self::NetworkRequest => "network:request",
            Self::NetworkRequestUnrestricted => "network:request:unrestricted",
            Self::EmailSend => "email:send",
        }
    }

    /// What EmDash documents that holding this one also gives.
    fn implied(self) -> Option<Self> {
        match self {
            Self::ContentWrite => Some(Self::ContentRead),
            Self::MediaWrite => Some(Self::MediaRead),
            Self::NetworkRequestUnrestricted => Some(Self::NetworkRequest),
            _ => None,
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The set of capabilities that a plugin holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    known: BTreeSet<Capability>,
    /// Names that we do not know: a plugin may be newer than we are. They grant nothing.
    unknown: BTreeSet<String>,
}

impl Capabilities {
    /// What a manifest's names grant when a plugin is loaded: with all that EmDash documents as implied.
    pub fn from_manifest<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        let mut set = Self::strict(names);
        let implied: Vec<_> = set
            .known
            .iter()
            .filter_map(|capability| capability.implied())
            .collect();
        set.known.extend(implied);
        set
    }

    /// Just what the names say, for `createBridgeHandler`. As in the peer, unrestricted network access includes the
    /// restricted one also here: it is the same right with fewer conditions.
    pub fn strict<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        let mut set = Self::default();
        for name in names {
            match Capability::parse(name.as_ref()) {
                Some(capability) => set.known.insert(capability),
                None => set.unknown.insert(name.as_ref().to_owned()),
            };
        }
        if set.contains(Capability::NetworkRequestUnrestricted) {
            set.known.insert(Capability::NetworkRequest);
        }
        set
    }

    pub fn contains(&self, capability: Capability) -> bool {
        self.known.contains(&capability)
    }

    /// Today's names of what is held, and the unknown ones as they came; sorted.
    pub fn names(&self) -> Vec<String> {
        let known = self.known.iter().map(|capability| capability.name().to_owned());
        let mut names: Vec<String> = known.chain(self.unknown.iter().cloned()).collect();
        names.sort_unstable();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_to_what_it_names() {
        for capability in ALL {
            assert_eq!(Capability::parse(capability.name()), Some(capability));
        }
    }

    #[test]
    fn a_deprecated_name_means_todays() {
        for (old, today) in [
            ("read:content", "content:read"),
            ("write:content", "content:write"),
            ("read:media", "media:read"),
            ("write:media", "media:write"),
            ("read:users", "users:read"),
            ("network:fetch", "network:request"),
            ("network:fetch:any", "network:request:unrestricted"),
        ] {
            assert_eq!(Capability::parse(old).map(Capability::name), Some(today));
        }
    }

    #[test]
    fn near_misses_are_unknown() {
        for name in [
            "",
            "content",
            "content:read ",
            "Content:Read",
            "read:taxonomies",
            "users:write",
            "*",
        ] {
            assert_eq!(Capability::parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_manifest_closes_the_implications_and_a_strict_set_does_not() {
        let names = ["write:content", "media:write"];
        let loaded = Capabilities::from_manifest(names);
        assert_eq!(
            loaded.names(),
            ["content:read", "content:write", "media:read", "media:write"]
        );
        assert_eq!(
            Capabilities::strict(names).names(),
            ["content:write", "media:write"]
        );
        assert!(!loaded.contains(Capability::MediaBytesRead));
    }

    #[test]
    fn unrestricted_network_access_includes_the_restricted_one_in_both() {
        for set in [
            Capabilities::from_manifest(["network:fetch:any"]),
            Capabilities::strict(["network:fetch:any"]),
        ] {
            assert!(set.contains(Capability::NetworkRequest));
        }
        assert!(
            !Capabilities::from_manifest(["network:fetch"]).contains(Capability::NetworkRequestUnrestricted)
        );
    }

    #[test]
    fn unknown_names_are_kept_and_grant_nothing() {
        let set = Capabilities::from_manifest(["zebra:ride", "content:read", "read:content", "admin"]);
        assert_eq!(set.names(), ["admin", "content:read", "zebra:ride"]);
        assert!(
            ALL.into_iter()
                .filter(|&capability| set.contains(capability))
                .eq([Capability::ContentRead])
        );
    }
}
