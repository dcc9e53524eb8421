//! What an IP address is for. Pure: a table, made from IANA's special-purpose address registries.
//!
//! <https://www.iana.org/assignments/iana-ipv4-special-registry> and
//! <https://www.iana.org/assignments/iana-ipv6-special-registry>, both as of 2025, and IANA's IPv6 address space: outside
//! 2000::/3 nothing is global unicast.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// What an address is for. A plugin may reach [`AddressClass::Global`] ones; of the others, an operator may open some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressClass {
    /// A host of the internet.
    Global,
    /// "This network": connects to the machine itself.
    Unspecified,
    Loopback,
    /// A local network's own.
    Private,
    LinkLocal,
    /// Between a provider and its customers.
    Shared,
    /// Where a cloud hands out credentials to whoever asks from inside.
    Metadata,
    Multicast,
    Documentation,
    Benchmarking,
    /// Anything else that is no host of the internet.
    Reserved,
}

/// What `address` is for. One that carries an IPv4 address within is for what that one is for: a translator or a tunnel
/// on the way would go there.
pub(crate) fn classify(address: IpAddr) -> AddressClass {
    match address {
        IpAddr::V4(address) => classify_v4(address),
        IpAddr::V6(address) => classify_v6(address),
    }
}

fn classify_v4(address: Ipv4Addr) -> AddressClass {
    let row = V4.iter().find(|(network, _)| network.contains(&address));
    row.map_or(AddressClass::Global, |(_, class)| *class)
}

fn classify_v6(address: Ipv6Addr) -> AddressClass {
    if let Some((_, class)) = V6.iter().find(|(network, _)| network.contains(&address)) {
        return *class;
    }
    let Some((_, kind)) = CARRIERS.iter().find(|(network, _)| network.contains(&address)) else {
        return if GLOBAL_UNICAST.contains(&address) {
            AddressClass::Global
        } else {
            AddressClass::Reserved
        };
    };
    let bits = address.to_bits();
    match kind {
        Carrier::Low32 => classify_v4(low32(bits)),
        Carrier::Obsolete => worse(classify_v4(low32(bits)), AddressClass::Reserved),
        Carrier::SixToFour => classify_v4(low32(bits >> 80)),
        // The server's address, and the client's with its bits turned.
        Carrier::Teredo => worse(classify_v4(low32(bits >> 64)), classify_v4(low32(!bits))),
        Carrier::Protocol => AddressClass::Reserved,
    }
}

/// The first one that is not global.
fn worse(first: AddressClass, second: AddressClass) -> AddressClass {
    if first == AddressClass::Global {
        second
    } else {
        first
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half is what is asked for"
)]
fn low32(bits: u128) -> Ipv4Addr {
    Ipv4Addr::from_bits(bits as u32)
}

/// How an IPv6 address outside [`V6`] carries an IPv4 address.
#[derive(Debug, Clone, Copy)]
enum Carrier {
    /// In its last 32 bits, and packets go there.
    Low32,
    /// In its last 32 bits, in a form that no network carries any more.
    Obsolete,
    SixToFour,
    Teredo,
    /// Not at all: a protocol's own, and no host.
    Protocol,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(segments: [u16; 8], prefix: u8) -> Ipv6Net {
    let [a, b, c, d, e, f, g, h] = segments;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix)
}

/// The first network that holds the address counts, so a part stands before its whole.
#[rustfmt::skip]
static V4: &[(Ipv4Net, AddressClass)] = &[
    // Clouds. Azure's is in the middle of the internet.
    (v4(169, 254, 169, 254, 32), AddressClass::Metadata),  // AWS, Google, Azure, Oracle, DigitalOcean and others
    (v4(169, 254, 170, 2, 32), AddressClass::Metadata),    // AWS: credentials of a container
    (v4(169, 254, 170, 23, 32), AddressClass::Metadata),   // AWS: the same in EKS
    (v4(169, 254, 42, 42, 32), AddressClass::Metadata),    // Scaleway
    (v4(100, 100, 100, 200, 32), AddressClass::Metadata),  // Alibaba
    (v4(192, 0, 0, 192, 32), AddressClass::Metadata),      // Oracle, of old
    (v4(168, 63, 129, 16, 32), AddressClass::Metadata),    // Azure: its wire server

    (v4(0, 0, 0, 0, 8), AddressClass::Unspecified),        // RFC 791
    (v4(10, 0, 0, 0, 8), AddressClass::Private),           // RFC 1918
    (v4(100, 64, 0, 0, 10), AddressClass::Shared),         // RFC 6598
    (v4(127, 0, 0, 0, 8), AddressClass::Loopback),         // RFC 1122
    (v4(169, 254, 0, 0, 16), AddressClass::LinkLocal),     // RFC 3927
    (v4(172, 16, 0, 0, 12), AddressClass::Private),        // RFC 1918
    (v4(192, 0, 0, 0, 24), AddressClass::Reserved),        // RFC 6890, protocol assignments
    (v4(192, 0, 2, 0, 24), AddressClass::Documentation),   // RFC 5737
    (v4(192, 88, 99, 0, 24), AddressClass::Reserved),      // RFC 7526, relays of 6to4
    (v4(192, 168, 0, 0, 16), AddressClass::Private),       // RFC 1918
    (v4(198, 18, 0, 0, 15), AddressClass::Benchmarking),   // RFC 2544
    (v4(198, 51, 100, 0, 24), AddressClass::Documentation),
    (v4(203, 0, 113, 0, 24), AddressClass::Documentation),
    (v4(224, 0, 0, 0, 4), AddressClass::Multicast),        // RFC 5771
    (v4(240, 0, 0, 0, 4), AddressClass::Reserved),         // RFC 1112, and the broadcast address
];

/// As [`V4`]. The registry lets a few parts of 2001::/23 be reached, none of which is a web server's.
#[rustfmt::skip]
static V6: &[(Ipv6Net, AddressClass)] = &[
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128), AddressClass::Metadata),  // AWS
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23], 128), AddressClass::Metadata),   // AWS: credentials in EKS
    (v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128), AddressClass::Metadata),   // Google
    (v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], 128), AddressClass::Metadata),    // Scaleway

    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), AddressClass::Unspecified),            // RFC 4291
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), AddressClass::Loopback),               // RFC 4291
    (v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), AddressClass::Private),         // RFC 8215, a local network's own NAT64
    (v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48), AddressClass::Benchmarking),       // RFC 5180
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), AddressClass::Documentation),  // RFC 3849
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), AddressClass::Documentation),      // RFC 9637
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), AddressClass::Private),             // RFC 4193
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), AddressClass::LinkLocal),          // RFC 4291
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), AddressClass::Private),            // RFC 3879, site-local, of old
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), AddressClass::Multicast),           // RFC 4291
];

#[rustfmt::skip]
static CARRIERS: &[(Ipv6Net, Carrier)] = &[
    (v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96), Carrier::Low32),        // RFC 4291, mapped
    (v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96), Carrier::Low32),     // RFC 6052, NAT64
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 96), Carrier::Obsolete),          // RFC 4291, compatible
    (v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96), Carrier::Obsolete),     // RFC 2765, translated
    (v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), Carrier::SixToFour),    // RFC 3056
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), Carrier::Teredo),       // RFC 4380
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), Carrier::Protocol),     // RFC 2928, what is left of it
];

/// What IANA has given out for hosts.
static GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
