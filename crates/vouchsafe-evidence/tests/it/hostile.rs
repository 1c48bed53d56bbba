//! Registries that lie, hang, stream and flood. Every one is "cannot tell" for its reason, soon, and within bounds.

use crate::{
    Content, Server, Signer,
    content::{BASE, INDEX, MANIFEST, Serves},
    server::Reply,
    settings, signatures,
};
use serde_json::json;
use std::time::Duration;
use vouchsafe_core::digest::Digest;
use vouchsafe_evidence::{
    credentials::Credentials,
    registry::{Client, RegistryError, Settings},
    signature::{SignatureReport, SignatureState},
};

/// What the sockets on both sides may hold besides what was read.
const IN_FLIGHT: usize = 12 << 20;

/// The places that every search asks, of an image that is signed; each case goes wrong at one.
struct Places {
    image: String,
    api: String,
    referrer: String,
    blob: String,
    older: String,
}

fn places() -> (Content, Places, Signer) {
    let signer = Signer::p256();
    let mut content = Content::unsigned(Serves::Api);
    let (referrer, blob) = content.attach(&signer.statement(&content.image.to_string(), crate::mint::SIGN));
    let places = Places {
        image: content.at_image(),
        api: content.api(),
        referrer,
        blob,
        older: content.older(),
    };
    (content, places, signer)
}

async fn ask(content: &Content, signer: &Signer, settings: impl Fn(Settings) -> Settings) -> (SignatureReport, Server) {
    let served = content.clone();
    let server = Server::start(move |asked| served.reply(asked)).await;
    let limits = settings(crate::settings(&[&server]));
    (signatures(limits, &server, content, signer).await, server)
}

/// Everything that can go wrong with one answer, at each of the places.
#[expect(clippy::too_many_lines, reason = "a table")]
#[tokio::test]
async fn a_bad_answer_anywhere_is_cannot_tell() {
    let index = |body: &str| Reply::ok(INDEX, body);
    let bomb = Reply::ok(INDEX, vec![0x1f, 0x8b]).with("content-encoding", "gzip");
    let cut_short =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.oci.image.index.v1+json\r\ncontent-length: 100\r\n\r\n{"
            .to_vec();
    let flood = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(1 << 20)).into_bytes();
    let chunks = b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.oci.image.index.v1+json\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n".to_vec();
    for (name, reply, transient, reason) in [
        ("hangs", Reply::Hang(vec![]), true, "did not answer in time"),
        (
            "hangs in the body",
            Reply::Hang(cut_short.clone()),
            true,
            "did not answer in time",
        ),
        ("breaks off", Reply::Raw(cut_short), true, "cannot be reached"),
        ("says nothing", Reply::Raw(vec![]), true, "cannot be reached"),
        ("floods the head", Reply::Raw(flood), true, "cannot be reached"),
        (
            "is not HTTP",
            Reply::Raw(b"SSH-2.0-x\r\n\r\n".to_vec()),
            true,
            "cannot be reached",
        ),
        ("overflows a chunk", Reply::Raw(chunks), true, "cannot be reached"),
        ("is overloaded", Reply::status(429), true, "answered 429"),
        ("is broken", Reply::status(500), true, "answered 500"),
        ("is down", Reply::status(503), true, "answered 503"),
        (
            "refuses",
            Reply::status(403),
            false,
            "refuses access (403): there are no credentials for it",
        ),
        ("is a teapot", Reply::status(418), false, "answered 418"),
        ("has no content", Reply::status(204), false, "answered 204"),
        (
            "wants a login unheard of",
            Reply::status(401).with("www-authenticate", "Negotiate"),
            false,
            "in a way that is not known",
        ),
        ("compresses", bomb, false, "answered with compressed content"),
        ("redirects nowhere", Reply::status(307), false, "that is not a URL"),
        (
            "redirects to itself",
            Reply::redirect("?"),
            false,
            "redirects more than 5 times",
        ),
        (
            "redirects to a file",
            Reply::redirect("file:///etc/passwd"),
            false,
            "that is not a URL",
        ),
        (
            "redirects with a user",
            Reply::redirect("https://user:password@registry.example/"),
            false,
            "that URL has a user in it",
        ),
        ("streams", Reply::Endless(b" "), false, "is larger than"),
        (
            "declares too much",
            Reply::Raw(
                format!("HTTP/1.1 200 OK\r\ncontent-type: {INDEX}\r\ncontent-length: 99999999999\r\n\r\n").into_bytes(),
            ),
            false,
            "is larger than",
        ),
        ("answers otherwise", index("{}"), false, "answered with other content"),
    ] {
        let (content, places, signer) = places();
        for path in [&places.image, &places.api, &places.referrer, &places.blob] {
            if name == "answers otherwise" && *path == places.api {
                continue;
            }
            let content = content.clone().answer(path, reply.clone());
            let short = |settings| Settings {
                request: Duration::from_millis(300),
                manifest_bytes: 1 << 16,
                ..settings
            };
            let (report, server) = ask(&content, &signer, short).await;
            assert_eq!(
                (report.state, report.complete, report.transient),
                (SignatureState::CannotTell, false, transient),
                "{name} at {path}: {report:?}"
            );
            assert!(report.detail.contains(reason), "{name} at {path}: {}", report.detail);
            assert!(
                server.written() < IN_FLIGHT,
                "{name} at {path}: {} bytes were sent",
                server.written()
            );
            assert!(server.asked().len() <= 12, "{name} at {path}");
        }
    }
}

/// The older place is asked too, and its trouble counts.
#[tokio::test]
async fn a_bad_answer_at_the_older_place_is_cannot_tell() {
    let content = Content::unsigned(Serves::Api);
    let (_, places, signer) = places();
    for (reply, reason) in [
        (Reply::status(500), "answered 500"),
        (Reply::Endless(b"["), "is larger than 4194304 bytes"),
        (Reply::ok(MANIFEST, "{"), "cannot be read: EOF"),
    ] {
        let content = content.clone().answer(&places.older, reply);
        let (report, server) = ask(&content, &signer, |settings| settings).await;
        assert_eq!(report.state, SignatureState::CannotTell);
        assert!(report.detail.contains(reason), "{}", report.detail);
        assert!(server.written() < (4 << 20) + IN_FLIGHT);
    }
}

#[tokio::test]
async fn lists_that_are_no_lists_are_cannot_tell() {
    let deep = format!("{}{}", r#"{"manifests":["#.repeat(50_000), "]}".repeat(50_000));
    let deep_elsewhere = format!(
        r#"{{"manifests":[],"x":{}1{}}}"#,
        "[".repeat(500_000),
        "]".repeat(500_000)
    );
    let (content, places, signer) = places();
    for (body, state, reason) in [
        ("", SignatureState::CannotTell, "the list of referrers from"),
        ("{", SignatureState::CannotTell, "cannot be read: EOF"),
        ("[]", SignatureState::CannotTell, "cannot be read"),
        (r#"{"manifests":{}}"#, SignatureState::CannotTell, "cannot be read"),
        (
            r#"{"manifests":[{"digest":3,"size":1}]}"#,
            SignatureState::CannotTell,
            "cannot be read",
        ),
        (
            r#"{"manifests":[{"digest":"sha256:..","size":-1}]}"#,
            SignatureState::CannotTell,
            "cannot be read",
        ),
        (
            r#"{"manifests":[],"manifests":[]}"#,
            SignatureState::CannotTell,
            "duplicate field",
        ),
        (&deep, SignatureState::CannotTell, "cannot be read"),
        (
            r#"{"manifests":[{"digest":"sha256:../../../../secrets","size":1}]}"#,
            SignatureState::CannotTell,
            "unsupported (\"sha256:../../../../secrets\")",
        ),
        (
            r#"{"manifests":[{"digest":"sha512:00","size":1}]}"#,
            SignatureState::CannotTell,
            "unsupported (\"sha512:00\")",
        ),
        (
            r#"{"manifests":null}"#,
            SignatureState::NotSigned,
            "no signature by a key of `release` was found",
        ),
        (
            &deep_elsewhere,
            SignatureState::NotSigned,
            "no signature by a key of `release` was found",
        ),
    ] {
        let content = content.clone().answer(&places.api, Reply::ok(INDEX, body));
        let (report, server) = ask(&content, &signer, |settings| settings).await;
        let shown = body.get(..80).unwrap_or(body);
        assert_eq!((report.state, report.transient), (state, false), "{shown}: {report:?}");
        assert!(report.detail.contains(reason), "{shown}: {}", report.detail);
        assert!(server.asked().iter().all(|asked| !asked.path.contains("..")), "{shown}");
    }
}

#[tokio::test]
async fn pages_without_end_are_not_followed_to_it() {
    let (content, places, signer) = places();
    let next = Reply::ok(INDEX, r#"{"manifests":[]}"#).with("link", "<?page=next>; rel=\"next\"");
    let (report, server) = ask(&content.clone().answer(&places.api, next), &signer, |settings| settings).await;
    assert_eq!(report.state, SignatureState::CannotTell);
    assert!(
        report.detail.ends_with("there are more candidates than are read"),
        "{}",
        report.detail
    );
    assert_eq!(
        server
            .asked()
            .iter()
            .filter(|asked| asked.path.starts_with(&places.api))
            .count(),
        20
    );

    for link in [
        "https://registry.example/x",
        "//registry.example/x",
        "http://127.0.0.1:1/x",
    ] {
        let elsewhere = Reply::ok(INDEX, r#"{"manifests":[]}"#).with("link", &format!("<{link}>; rel=\"next\""));
        let (report, _) = ask(&content.clone().answer(&places.api, elsewhere), &signer, |settings| {
            settings
        })
        .await;
        assert_eq!(report.state, SignatureState::CannotTell);
        assert!(
            report.detail.ends_with("the next page must be on the same host"),
            "{}",
            report.detail
        );
    }
}

/// However much is attached, the number of requests has a bound, and what was left out is said (D53).
#[tokio::test]
async fn no_more_is_read_than_the_settings_say() {
    let (signer, stranger) = (Signer::p256(), Signer::p256());
    let mut many = Content::unsigned(Serves::Api);
    for count in 0..70 {
        many.attach(&stranger.statement(&many.image.to_string(), &format!("https://example.test/{count}")));
    }
    let mut layers = Content::unsigned(Serves::Api);
    let blob = json!({"mediaType": crate::mint::BUNDLE, "digest": Digest::of(b"x"), "size": 1});
    let wide = json!({"schemaVersion": 2, "layers": vec![blob; 5000]}).to_string();
    let digest = Digest::of(wide.as_bytes());
    layers.refer(json!({"digest": digest, "size": wide.len()}));
    let layers = layers.answer(&format!("{BASE}/manifests/{digest}"), Reply::ok(MANIFEST, wide));
    let mut older = Content::unsigned(Serves::Api);
    let payload = crate::mint::simple(&older.image.to_string()).to_string();
    older.sign_older(&vec![stranger.sign(b"x"); 5000], &payload);
    for (name, content) in [
        ("many referrers", many),
        ("many layers", layers),
        ("many of the older form", older),
    ] {
        let (report, server) = ask(&content, &signer, |settings| settings).await;
        assert_eq!(
            (report.state, report.complete),
            (SignatureState::CannotTell, false),
            "{name}"
        );
        assert!(
            report.detail.ends_with("there are more candidates than are read"),
            "{name}: {}",
            report.detail
        );
        assert!(
            server.asked().len() <= 3 + 2 * 64,
            "{name}: {} requests",
            server.asked().len()
        );
    }
}

/// A list of 4 MiB is taken, and one byte more is not.
#[tokio::test]
async fn the_largest_list_is_read_within_bounds() {
    let (content, places, signer) = places();
    for (size, reason) in [
        (4 << 20, "no signature by a key of `release` was found"),
        ((4 << 20) + 1, "is larger than 4194304 bytes"),
    ] {
        let mut body = br#"{"manifests":[]}"#.to_vec();
        body.resize(size, b' ');
        let (report, _) = ask(
            &content.clone().answer(&places.api, Reply::ok(INDEX, body)),
            &signer,
            |settings| settings,
        )
        .await;
        assert!(report.detail.ends_with(reason), "{}", report.detail);
    }
}

/// The list that takes most room when it is read: as many entries as fit. Measured: the peak of the whole test run stays below 128 MiB (54 MiB seen).
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_most_entries_are_read_within_bounds() {
    let (content, places, signer) = places();
    let entry = r#"{"digest":"","size":0},"#;
    let body = format!(
        r#"{{"manifests":[{}{{"digest":"","size":0}}]}}"#,
        entry.repeat((4 << 20) / entry.len() - 3)
    );
    let (report, _) = ask(
        &content.clone().answer(&places.api, Reply::ok(INDEX, body)),
        &signer,
        |settings| settings,
    )
    .await;
    assert_eq!(report.state, SignatureState::CannotTell);
    assert!(
        report.detail.ends_with("there are more candidates than are read"),
        "{}",
        report.detail
    );
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes = peak.trim().trim_end_matches(" kB").parse::<usize>().unwrap();
    assert!(kilobytes < 128 << 10, "{kilobytes} kB");
}

/// A blob is cut off at its declared size, and never read past the limit, whatever is declared (D54).
#[tokio::test]
async fn a_blob_is_as_large_as_was_declared() {
    let (signer, mut content) = (Signer::p256(), Content::unsigned(Serves::Api));
    let bundle = signer.statement(&content.image.to_string(), crate::mint::SIGN);
    let (_, blob) = content.attach(&bundle);
    let longer = format!("{bundle} ");
    let (report, _) = ask(
        &content.clone().answer(&blob, Reply::ok("x", longer)),
        &signer,
        |settings| settings,
    )
    .await;
    assert_eq!(report.state, SignatureState::CannotTell);
    assert!(
        report
            .detail
            .contains(&format!("is larger than {} bytes", bundle.to_string().len())),
        "{}",
        report.detail
    );

    let (report, server) = ask(&content, &signer, |settings| Settings {
        blob_bytes: 100,
        ..settings
    })
    .await;
    assert!(report.detail.contains("is larger than 100 bytes"), "{}", report.detail);
    assert!(
        server.asked().iter().all(|asked| asked.path != blob),
        "what is declared too large is not asked for"
    );
}

#[tokio::test]
async fn a_registry_that_wants_to_be_left_alone_is() {
    let (content, places, signer) = places();
    for (path, requests) in [
        (&places.image, 1),
        (&places.api, 2),
        (&places.referrer, 3),
        (&places.blob, 4),
    ] {
        for (header, pause) in [
            (Some("7"), Some(7)),
            (Some("999999"), Some(3600)),
            (Some("Wed, 21 Oct 2026 07:28:00 GMT"), None),
            (Some("-1"), None),
            (None, None),
        ] {
            let reply = Reply::status(429);
            let reply = header.map_or(reply.clone(), |value| reply.with("retry-after", value));
            let (report, server) = ask(&content.clone().answer(path, reply), &signer, |settings| settings).await;
            assert_eq!((report.state, report.transient), (SignatureState::CannotTell, true));
            assert_eq!(report.retry_after, pause.map(Duration::from_secs), "{header:?}");
            assert_eq!(server.asked().len(), requests, "nothing is asked after that");
        }
    }
}

/// One deadline for everything, however many slow answers there are.
#[tokio::test]
async fn the_whole_search_has_a_deadline() {
    let (content, places, signer) = places();
    let content = content.answer(&places.api, Reply::Hang(vec![]));
    let started = tokio::time::Instant::now();
    let limits = |settings| Settings {
        request: Duration::from_secs(60),
        total: Duration::from_millis(300),
        ..settings
    };
    let (report, _) = ask(&content, &signer, limits).await;
    assert!(report.detail.ends_with("did not answer in time"), "{}", report.detail);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

/// D17: what a tag pointed at a moment ago does not count, and a digest is checked on every answer.
#[tokio::test]
async fn a_registry_that_answers_differently_twice_is_caught() {
    let (first, second) = (Content::unsigned(Serves::Api), br#"{"schemaVersion":2,"manifests":[]}"#);
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let manifest = first.manifest.clone();
    let server = Server::start(move |_| match turn.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => Reply::ok(MANIFEST, manifest.clone()),
        _ => Reply::ok(INDEX, second),
    })
    .await;
    let client = Client::new(settings(&[&server])).unwrap();
    let image = format!("{}/team/agent:1.0", server.place()).parse().unwrap();
    let pinned = client.resolve(&image, &Credentials::anonymous()).await.unwrap();
    assert_eq!(pinned.digest(), first.image);
    let error = client.manifest(&pinned, &Credentials::anonymous()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Digest { .. }), "{error}");
    assert_eq!(
        client
            .resolve(&image, &Credentials::anonymous())
            .await
            .unwrap()
            .digest(),
        Digest::of(second)
    );
}
