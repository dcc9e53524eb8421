//! Where a fetch may go: addresses in any form, names that are looked up, and texts that are no address.

use super::*;

#[tokio::test]
async fn a_literal_of_any_form_is_classified_because_nothing_resolves_it() {
    let nobody = FakeResolver::of(&[]);
    let egress = egress("", nobody);
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0x7f.1",
        "127.0.0.1.",
        "①②⑦.0.0.1",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "10.1",
        "192.168.1",
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "168.63.129.16",
        "100.64.1.1",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "%31%32%37.0.0.1",
        "127。0。0。1",
    ] {
        for hosts in [&["*"][..], &[]] {
            let error = refusal(&egress, get(&format!("http://{host}/")), hosts).await;
            assert!(
                error.ends_with("URLs targeting private IP addresses are not allowed"),
                "{host}: {error}"
            );
        }
    }
    for host in [
        "[fe80::1%25eth0]",
        "[fe80::1%eth0]",
        "1.2.3.4.5.6.0x",
        "[::ffff:1.2.3]",
        "256.1.1.1",
    ] {
        let error = refusal(&egress, get(&format!("http://{host}/")), &["*"]).await;
        assert_eq!(error, "Invalid URL", "{host}");
    }
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_goes_nowhere_if_one_of_its_addresses_is_forbidden() {
    let resolver = FakeResolver::of(&[&["93.184.215.14", "10.0.0.1"], &["127.0.0.1"]]);
    let egress = egress("", resolver.clone());
    for _ in 0..2 {
        let error = refusal(&egress, get("http://rebind.example/"), &["rebind.example"]).await;
        assert_eq!(
            error,
            "Plugin \"p\": blocked fetch to \"rebind.example\": Hostname resolves to a private IP address"
        );
    }
    assert_eq!(resolver.left(), 0);
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_the_second_time_is_never_asked_a_second_time() {
    let port = says("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    // The first answer is let in, by name; whatever a second one said, nobody hears it.
    let resolver = FakeResolver::of(&[&["127.0.0.1"], &["169.254.169.254"]]);
    let egress = egress("rebind.example", resolver.clone());
    let url = format!("http://rebind.example:{port}/");
    let answer = fetch(&egress, get(&url), grant(&["rebind.example"]))
        .await
        .unwrap();
    assert_eq!(body(answer).await.unwrap(), b"ok");
    assert_eq!(resolver.left(), 1);
    let error = refusal(&egress, get(&url), &["rebind.example"]).await;
    assert!(
        error.contains("Hostname resolves to a private IP address"),
        "a cloud's credentials open by address only: {error}"
    );
}

#[tokio::test]
async fn a_url_that_can_t_be_sent_is_refused_before_anything_is_looked_up() {
    let words = "fetch failed: the path and query of a URL may have at most 65534 bytes";
    let resolver = FakeResolver::of(&[&["127.0.0.1"]]);
    let mut egress = egress("127.0.0.1,example.com", resolver.clone());
    egress.bounds.head = Duration::from_secs(30);
    let long = format!("http://example.com/?{}", "x".repeat(65_533));
    assert_eq!(refusal(&egress, get(&long), &["*"]).await, words);
    assert_eq!(resolver.left(), 1);

    let port = says("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let longest = format!("{}?{}", at(port), "x".repeat(65_532));
    assert_eq!(got(&egress, &longest).await, b"ok");
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 512, failure_persistence: None, ..Default::default() })]

    /// Whatever the text, either it is refused or every address that would be connected to is one of the internet.
    #[test]
    fn no_host_string_leads_to_a_forbidden_address(
        host in proptest::prop_oneof![
            "[0-9a-fxA-FX.:%\\[\\]]{1,24}",
            "(0x?)?[0-9a-f]{1,10}(\\.(0x?)?[0-9a-f]{0,4}){0,3}\\.?",
            "\\[([0-9a-f]{0,4}:){1,7}([0-9a-f]{0,4}|[0-9]{1,3}(\\.[0-9]{1,3}){3})(%[a-z0-9]{1,4})?\\]",
            "\\PC{1,16}",
        ],
        found in proptest::collection::vec(proptest::prelude::any::<IpAddr>(), 0..3),
    ) {
        let Ok(url) = Url::parse(&format!("http://{host}/")) else { return Ok(()) };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let approved = runtime.block_on(async {
            let permit = Share::new(16).look_ups.acquire_owned().await.unwrap();
            let resolver = Fixed(found.clone());
            approve(&url, &Reach::new("p", true, &[]), &PrivateHosts::default(), &resolver, permit).await
        });
        if let Ok(approved) = approved {
            for address in approved.addresses() {
                proptest::prop_assert_eq!(address::classify(address.ip()), address::AddressClass::Global);
                let is_literal = private_hosts::literal(&url) == Some(address.ip());
                proptest::prop_assert!(is_literal || found.contains(&address.ip()));
            }
        }
    }
}

#[derive(Debug)]
struct Fixed(Vec<IpAddr>);

impl Resolve for Fixed {
    fn resolve(&self, _: String, _permit: OwnedSemaphorePermit) -> Answers {
        let found = self.0.clone();
        Box::pin(async move { Ok(found) })
    }
}
