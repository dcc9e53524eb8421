//! What follows from a redirect, as the Fetch standard has it. Pure.

use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{Method, StatusCode};
use url::Url;

/// EmDash's number.
pub(super) const MAX_REDIRECTS: usize = 5;

/// Go when the origin changes; EmDash's list.
const CREDENTIALS: [HeaderName; 3] = [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION];

/// Describe a body, and go with it.
const OF_A_BODY: [HeaderName; 5] = [
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LOCATION,
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
];

/// Where an answer leads, if it does: any 3xx with a location, as EmDash has it. `None` inside is a location that is no URL.
pub(super) fn target(status: StatusCode, headers: &HeaderMap, from: &Url) -> Option<Option<Url>> {
    if !status.is_redirection() {
        return None;
    }
    let location = headers.get(header::LOCATION)?;
    let location = String::from_utf8_lossy(location.as_bytes());
    if location.is_empty() {
        return None;
    }
    Some(from.join(&location).ok())
}

/// Changes the request to the next hop's; whether its body goes with it.
pub(super) fn follow(
    status: StatusCode,
    method: &mut Method,
    headers: &mut HeaderMap,
    from: &Url,
    to: &Url,
) -> bool {
    if from.origin() != to.origin() {
        for name in &CREDENTIALS {
            headers.remove(name);
        }
    }
    let turns = match status {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => *method == Method::POST,
        StatusCode::SEE_OTHER => *method != Method::GET && *method != Method::HEAD,
        _ => false,
    };
    if turns {
        *method = Method::GET;
        for name in &OF_A_BODY {
            headers.remove(name);
        }
    }
    !turns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn headers() -> HeaderMap {
        let named = [
            "authorization",
            "cookie",
            "proxy-authorization",
            "content-type",
            "x-own",
        ];
        let pairs = named.map(|name| (HeaderName::from_static(name), "v".parse().unwrap()));
        pairs.into_iter().collect()
    }

    #[test]
    fn a_method_becomes_get_where_the_standard_says_so_and_the_body_goes_with_it() {
        let origin = url("https://a.example/");
        for (status, method, after) in [
            (301, "POST", "GET"),
            (302, "POST", "GET"),
            (303, "POST", "GET"),
            (303, "PUT", "GET"),
            (303, "HEAD", "HEAD"),
            (301, "PUT", "PUT"),
            (302, "DELETE", "DELETE"),
            (307, "POST", "POST"),
            (308, "POST", "POST"),
        ] {
            let (mut now, mut sent) = (method.parse().unwrap(), headers());
            let keeps = follow(
                StatusCode::from_u16(status).unwrap(),
                &mut now,
                &mut sent,
                &origin,
                &origin,
            );
            assert_eq!(
                (now.as_str(), keeps),
                (after, method == after),
                "{status} {method}"
            );
            assert_eq!(sent.contains_key("content-type"), keeps);
            assert!(sent.contains_key("x-own") && sent.contains_key("authorization"));
        }
    }

    #[test]
    fn credentials_go_at_any_change_of_origin() {
        let from = url("https://a.example/");
        for (to, stays) in [
            ("https://a.example/other", true),
            ("https://a.example:443/", true),
            ("https://a.example:444/", false),
            ("http://a.example/", false),
            ("https://b.a.example/", false),
        ] {
            let (mut method, mut sent) = (Method::GET, headers());
            follow(StatusCode::FOUND, &mut method, &mut sent, &from, &url(to));
            for name in ["authorization", "cookie", "proxy-authorization"] {
                assert_eq!(sent.contains_key(name), stays, "{name} to {to}");
            }
            assert!(sent.contains_key("x-own"));
        }
    }

    #[test]
    fn only_a_3xx_with_a_location_leads_anywhere() {
        let from = url("https://a.example/x/y?z");
        let at = |location: &str| HeaderMap::from_iter([(header::LOCATION, location.parse().unwrap())]);
        let lead =
            |status, location: &str| target(StatusCode::from_u16(status).unwrap(), &at(location), &from);
        assert_eq!(lead(302, "../q"), Some(Some(url("https://a.example/q"))));
        assert_eq!(lead(300, "//b.example"), Some(Some(url("https://b.example/"))));
        assert_eq!(lead(302, "http://[::1"), Some(None));
        assert_eq!(
            (lead(200, "/q"), lead(201, "/q"), lead(302, "")),
            (None, None, None)
        );
        assert_eq!(target(StatusCode::FOUND, &HeaderMap::new(), &from), None);
    }
}
