//! EmDash's rules for names.

use super::*;

fn reach(hosts: &[&str]) -> Reach {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    Reach::new("p", false, &hosts)
}

fn check(reach: &Reach, url: &str) -> Result<(), String> {
    let url = Url::parse(url).unwrap();
    reach
        .check(&url, &PrivateHosts::default())
        .map_err(|denied| denied.to_string())
}

#[test]
fn a_pattern_matches_its_host_and_a_wildcard_all_below_it_too() {
    for (pattern, host, allowed) in [
        ("*", "anything.example", true),
        ("example.com", "example.com", true),
        ("example.com", "EXAMPLE.com", true),
        ("Example.COM", "example.com", true),
        ("example.com", "example.com.", true),
        ("example.com.", "example.com", true),
        ("example.com", "a.example.com", false),
        ("example.com", "badexample.com", false),
        ("*.example.com", "example.com", true),
        ("*.example.com", "a.example.com", true),
        ("*.example.com", "a.b.example.com", true),
        ("*.example.com", "badexample.com", false),
        ("*.example.com", "example.com.evil.example", false),
        ("*example.com", "badexample.com", false),
        ("a.*.com", "a.b.com", false),
        ("*.", "a.", false),
        ("", "example.com", false),
        ("münchen.example", "xn--mnchen-3ya.example", true),
        ("*.münchen.example", "www.münchen.example", true),
        ("example.com:443", "example.com", false),
        ("https://example.com", "example.com", false),
        ("93.184.216.34", "0x5db8d822", true),
        ("[2606:4700::1]", "[2606:4700:0::1]", true),
    ] {
        let url = format!("https://{host}/");
        assert_eq!(
            check(&reach(&[pattern]), &url).is_ok(),
            allowed,
            "{pattern} {host}"
        );
    }
}

#[test]
fn the_refusals_are_those_that_emdash_has_set() {
    assert_eq!(
        check(&reach(&[]), "https://a.example/").unwrap_err(),
        "Plugin \"p\" has no allowed hosts configured. Add hosts to the plugin's allowedHosts array to enable HTTP requests."
    );
    assert_eq!(
        check(&reach(&["a.example", "*.b.example"]), "https://c.example/").unwrap_err(),
        "Plugin \"p\" is not allowed to fetch from host \"c.example\". Allowed hosts: a.example, *.b.example"
    );
    assert_eq!(
        check(&reach(&["*"]), "data:text/plain,x").unwrap_err(),
        "Plugin \"p\": blocked fetch to \"\": Scheme 'data:' is not allowed"
    );
}

#[test]
fn whoever_is_unrestricted_is_kept_from_internal_names_and_wildcard_dns() {
    let free = Reach::new("p", true, &[]);
    let refused = |host: &str, why: &str| {
        let words =
            format!("Plugin \"p\": blocked fetch to \"{host}\": URLs targeting {why} are not allowed");
        assert_eq!(check(&free, &format!("http://{host}/")).unwrap_err(), words);
    };
    for host in [
        "localhost",
        "localhost.",
        "a.localhost",
        "metadata.google.internal",
        "metadata.google",
        "metadata",
    ] {
        refused(host, "internal hosts");
    }
    for host in [
        "nip.io",
        "10.0.0.1.nip.io",
        "a.sslip.io",
        "xip.io.",
        "traefik.me",
        "x.lvh.me",
        "localtest.me",
    ] {
        refused(host, "wildcard DNS services");
    }
    for host in ["example.com", "notlocalhost", "nip.io.example", "mynip.io"] {
        assert!(check(&free, &format!("http://{host}/")).is_ok(), "{host}");
    }
    let ftp = check(&free, "ftp://example.com/").unwrap_err();
    assert!(ftp.ends_with("Scheme 'ftp:' is not allowed"), "{ftp}");
}

#[test]
fn the_operators_exception_opens_an_internal_name_and_grants_nothing() {
    let open = PrivateHosts::parse("localhost:9000").unwrap();
    let free = Reach::new("p", true, &[]);
    assert!(
        free.check(&Url::parse("http://localhost:9000/").unwrap(), &open)
            .is_ok()
    );
    assert!(
        free.check(&Url::parse("http://localhost/").unwrap(), &open)
            .is_err()
    );
    assert!(
        reach(&["a.example"])
            .check(&Url::parse("http://localhost:9000/").unwrap(), &open)
            .is_err()
    );
}
