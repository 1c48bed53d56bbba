//! Who gets to see credentials.

use crate::{
    Content, Server, Signer, allowed, authority,
    content::Serves,
    reference,
    server::{Asked, Reply},
    settings,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use vouchsafe_evidence::{
    credentials::Credentials,
    registry::{Client, Settings},
    signature::{SignatureReport, SignatureState, image_signatures},
};

const PASSWORD: &str = "hunter2";

fn basic() -> String {
    format!("Basic {}", STANDARD.encode(format!("user:{PASSWORD}")))
}

/// Credentials for a server.
fn credentials(server: &Server, entry: &Value) -> Credentials {
    let mut credentials = Credentials::anonymous();
    let config =
        json!({"auths": {server.place(): entry, "registry.example": {"username": "other", "password": PASSWORD}}});
    credentials.add_docker_config(config.to_string().as_bytes()).unwrap();
    credentials
}

fn password(server: &Server) -> Credentials {
    credentials(server, &json!({"username": "user", "password": PASSWORD}))
}

async fn ask(
    settings: Settings,
    server: &Server,
    content: &Content,
    signer: &Signer,
    credentials: &Credentials,
) -> SignatureReport {
    let client = Client::new(settings).unwrap();
    image_signatures(
        &client,
        &reference(server, content),
        credentials,
        &[authority("release", &[signer])],
    )
    .await
}

/// A registry that serves to whoever shows `wanted`, and answers others with `challenge`, where `HERE` is its own place.
async fn guarded(content: Content, challenge: &str, wanted: &str, token: Reply) -> Server {
    let (challenge, wanted) = (challenge.to_owned(), wanted.to_owned());
    Server::start(move |asked| {
        if asked.path.starts_with("/token") {
            return token.clone();
        }
        if asked.authorization() == Some(&wanted) {
            return content.reply(asked);
        }
        Reply::status(401).with("www-authenticate", &challenge.replace("HERE", &asked.headers["host"]))
    })
    .await
}

fn of_token(asked: &[Asked]) -> Vec<Asked> {
    asked
        .iter()
        .filter(|asked| asked.path.starts_with("/token"))
        .cloned()
        .collect()
}

const BEARER: &str =
    r#"Bearer realm="http://HERE/token",service="a registry&x=y",scope="repository:other/repository:pull,push""#;

#[tokio::test]
async fn a_password_is_sent_when_the_registry_asks_for_it() {
    let signer = Signer::p256();
    let content = Content::signed(Serves::Api, &signer);
    let server = guarded(content.clone(), r#"Basic realm="x""#, &basic(), Reply::status(404)).await;
    let report = ask(settings(&[&server]), &server, &content, &signer, &password(&server)).await;
    assert_eq!(report.state, SignatureState::Verified, "{}", report.detail);
    assert_eq!(server.asked()[0].authorization(), None, "not before it is asked for");
    let report = ask(
        settings(&[&server]),
        &server,
        &content,
        &signer,
        &Credentials::anonymous(),
    )
    .await;
    assert_eq!(report.state, SignatureState::CannotTell);
    assert!(
        report
            .detail
            .ends_with("refuses access (401): there are no credentials for it"),
        "{}",
        report.detail
    );
}

#[tokio::test]
async fn a_token_is_fetched_once_for_reading_this_repository() {
    let signer = Signer::p256();
    let content = Content::signed(Serves::Api, &signer);
    for (name, body) in [
        ("token", json!({"token": "t", "access_token": "wrong"})),
        ("access token", json!({"access_token": "t", "expires_in": 60})),
    ] {
        let token = Reply::ok("application/json", body.to_string());
        let server = guarded(content.clone(), BEARER, "Bearer t", token).await;
        let report = ask(settings(&[&server]), &server, &content, &signer, &password(&server)).await;
        assert_eq!(report.state, SignatureState::Verified, "{name}: {}", report.detail);
        let [asked] = of_token(&server.asked()).try_into().unwrap();
        assert_eq!(
            asked.path, "/token?scope=repository%3Ateam%2Fagent%3Apull&service=a%20registry%26x%3Dy",
            "our scope, not the registry's"
        );
        assert_eq!(asked.authorization(), Some(basic().as_str()));
        let report = ask(
            settings(&[&server]),
            &server,
            &content,
            &signer,
            &Credentials::anonymous(),
        )
        .await;
        assert_eq!(
            report.state,
            SignatureState::Verified,
            "{name}, anonymously: {}",
            report.detail
        );
        assert_eq!(of_token(&server.asked())[1].authorization(), None);
    }
}

#[tokio::test]
async fn other_logins_work_too() {
    let signer = Signer::p256();
    let content = Content::signed(Serves::Api, &signer);
    let token = Reply::ok("application/json", r#"{"access_token":"t"}"#);
    let server = guarded(content.clone(), BEARER, "Bearer t", token).await;
    let identity = credentials(&server, &json!({"identitytoken": "id&entity"}));
    let report = ask(settings(&[&server]), &server, &content, &signer, &identity).await;
    assert_eq!(report.state, SignatureState::Verified, "{}", report.detail);
    let [asked] = of_token(&server.asked()).try_into().unwrap();
    assert_eq!((asked.method.as_str(), asked.authorization()), ("POST", None));
    assert_eq!(
        asked.body,
        "grant_type=refresh_token&client_id=vouchsafe&refresh_token=id%26entity&scope=repository%3Ateam%2Fagent%3Apull&service=a%20registry%26x%3Dy"
    );

    let server = guarded(content.clone(), BEARER, "Bearer r", Reply::status(404)).await;
    let registry = credentials(&server, &json!({"registrytoken": "r"}));
    let report = ask(settings(&[&server]), &server, &content, &signer, &registry).await;
    assert_eq!(report.state, SignatureState::Verified, "{}", report.detail);
    assert!(of_token(&server.asked()).is_empty());
}

#[tokio::test]
async fn a_bad_token_service_is_cannot_tell() {
    let (signer, content) = (Signer::p256(), Content::unsigned(Serves::Api));
    let json = |body: &str| Reply::ok("application/json", body);
    for (name, token, transient, reason) in [
        (
            "wrong token",
            json(r#"{"token":"wrong"}"#),
            false,
            "refuses access (401): the credentials for it are not accepted",
        ),
        (
            "refuses",
            Reply::status(401),
            false,
            "refuses access (401): the credentials for it are not accepted",
        ),
        ("forbids", Reply::status(403), false, "refuses access (403)"),
        ("is not there", Reply::status(404), false, "answered 404 for a token"),
        ("is broken", Reply::status(502), true, "answered 502"),
        ("is empty", json("{}"), false, "gave no usable token"),
        ("is empty too", json(r#"{"token":""}"#), false, "gave no usable token"),
        (
            "breaks headers",
            json(r#"{"token":"t\r\nx: y"}"#),
            false,
            "gave no usable token",
        ),
        ("is not JSON", json("t"), false, "a token from"),
        ("streams", Reply::Endless(b" "), false, "a token from"),
        ("streams", Reply::Endless(b" "), false, "is larger than 65536 bytes"),
    ] {
        let server = guarded(content.clone(), BEARER, "Bearer t", token).await;
        let report = ask(settings(&[&server]), &server, &content, &signer, &password(&server)).await;
        assert_eq!(
            (report.state, report.transient),
            (SignatureState::CannotTell, transient),
            "{name}: {report:?}"
        );
        assert!(report.detail.contains(reason), "{name}: {}", report.detail);
        assert!(!report.detail.contains(PASSWORD));
    }
}

/// Where a registry may send us to log in: over TLS anywhere public, without it only to itself (D49).
#[tokio::test]
async fn credentials_go_to_no_token_service_that_they_may_not() {
    let (signer, content) = (Signer::p256(), Content::unsigned(Serves::Api));
    let other = Server::start(|_| Reply::ok("application/json", r#"{"token":"t"}"#)).await;
    let challenge = |realm: &str| format!(r#"Bearer realm="{realm}""#);
    for (realm, reason) in [
        (other.url("/token"), "that is without TLS and another host"),
        (
            "http://127.0.0.1/token".to_owned(),
            "that is without TLS and another host",
        ),
        ("http://user@HERE/token".to_owned(), "that URL has a user in it"),
        (
            format!("https://{}/token", other.place()),
            "has the address 127.0.0.1, which only a registry allowed by the operator's settings may have",
        ),
        (
            "https://localhost/token".to_owned(),
            "which only a registry allowed by the operator's settings may have",
        ),
        (
            "https://169.254.169.254/token".to_owned(),
            "has the address 169.254.169.254",
        ),
        (
            "https://[fd00:ec2::254]/token".to_owned(),
            "has the address fd00:ec2::254",
        ),
        ("/token".to_owned(), "that is not an HTTP URL"),
        ("file:///token".to_owned(), "that is not a URL"),
        (String::new(), "that is not a URL"),
    ] {
        let server = guarded(content.clone(), &challenge(&realm), "Bearer t", Reply::status(404)).await;
        // The other server is allowed as a registry, and is no place for these credentials all the same.
        let report = ask(
            settings(&[&server, &other]),
            &server,
            &content,
            &signer,
            &password(&server),
        )
        .await;
        assert_eq!(
            (report.state, report.transient),
            (SignatureState::CannotTell, false),
            "{realm}: {report:?}"
        );
        assert!(report.detail.contains(reason), "{realm}: {}", report.detail);
        assert!(
            server.asked().iter().all(|asked| asked.authorization().is_none()),
            "{realm}"
        );
    }
    assert_eq!(other.connections(), 0);
}

/// A redirect to another host is followed without credentials, and cannot lead back to where they count.
#[tokio::test]
async fn credentials_do_not_follow_a_redirect_to_another_host() {
    let signer = Signer::p256();
    let mut content = Content::unsigned(Serves::Api);
    let (_, blob) = content.attach(&signer.statement(&content.image.to_string(), crate::mint::SIGN));
    let stored = content.clone();
    let storage = Server::start(move |asked| stored.reply(asked)).await;
    let moved = content.clone().answer(&blob, Reply::redirect(&storage.url(&blob)));
    let server = guarded(moved, r#"Basic realm="x""#, &basic(), Reply::status(404)).await;
    let report = ask(
        settings(&[&server, &storage]),
        &server,
        &content,
        &signer,
        &password(&server),
    )
    .await;
    assert_eq!(report.state, SignatureState::Verified, "{}", report.detail);
    let [asked] = storage.asked().try_into().unwrap();
    assert_eq!((asked.path.as_str(), asked.authorization()), (blob.as_str(), None));

    // The other host asks for the credentials itself, by every means.
    let greedy = Server::start(|asked| {
        let realm = format!(r#"Bearer realm="http://{}/token""#, asked.headers["host"]);
        Reply::status(401)
            .with("www-authenticate", r#"Basic realm="x""#)
            .with("www-authenticate", &realm)
    })
    .await;
    let moved = content.clone().answer(&blob, Reply::redirect(&greedy.url(&blob)));
    let server = guarded(moved, r#"Basic realm="x""#, &basic(), Reply::status(404)).await;
    let report = ask(
        settings(&[&server, &greedy]),
        &server,
        &content,
        &signer,
        &password(&server),
    )
    .await;
    assert_eq!(report.state, SignatureState::CannotTell);
    assert!(report.detail.contains("refuses access (401)"), "{}", report.detail);
    let [asked] = greedy.asked().try_into().unwrap();
    assert_eq!(asked.authorization(), None);
}

/// What another host makes us ask of the registry is asked without credentials.
#[tokio::test]
async fn there_is_no_way_back_from_a_redirect() {
    let signer = Signer::p256();
    let mut content = Content::unsigned(Serves::Api);
    let (_, blob) = content.attach(&signer.statement(&content.image.to_string(), crate::mint::SIGN));
    let back = Server::start(|asked| {
        let to = asked.path.split_once("?to=").unwrap().1;
        Reply::redirect(&format!("http://{to}/v2/secret/manifests/latest"))
    })
    .await;
    let bounce = back.url("/bounce?to=HERE");
    let served = content.clone();
    let at = blob.clone();
    let server = Server::start(move |asked| match asked.authorization() {
        None => Reply::status(401).with("www-authenticate", r#"Basic realm="x""#),
        Some(_) if asked.path == at => Reply::redirect(&bounce.replace("HERE", &asked.headers["host"])),
        Some(_) => served.reply(asked),
    })
    .await;
    let report = ask(
        settings(&[&server, &back]),
        &server,
        &content,
        &signer,
        &password(&server),
    )
    .await;
    assert_eq!(report.state, SignatureState::CannotTell, "{report:?}");
    let secret = server
        .asked()
        .into_iter()
        .filter(|asked| asked.path.contains("secret"))
        .collect::<Vec<_>>();
    assert!(!secret.is_empty());
    assert_eq!(secret[0].authorization(), None);
}

/// One namespace's login is not another's, on the same client and host.
#[tokio::test]
async fn a_login_is_not_shared_between_calls() {
    let signer = Signer::p256();
    let content = Content::signed(Serves::Api, &signer);
    let token = Reply::ok("application/json", r#"{"token":"t"}"#);
    let served = content.clone();
    let server = Server::start(
        move |asked| match (asked.path.starts_with("/token"), asked.authorization()) {
            (true, Some(_)) => token.clone(),
            (true, None) => Reply::status(401),
            (false, Some("Bearer t")) => served.reply(asked),
            (false, _) => Reply::status(401).with("www-authenticate", &BEARER.replace("HERE", &asked.headers["host"])),
        },
    )
    .await;
    let client = Client::new(Settings {
        registries: [(server.place(), allowed())].into(),
        ..Settings::default()
    })
    .unwrap();
    let (image, authorities) = (reference(&server, &content), [authority("release", &[&signer])]);
    let ours = image_signatures(&client, &image, &password(&server), &authorities).await;
    assert_eq!(ours.state, SignatureState::Verified, "{}", ours.detail);
    let theirs = image_signatures(&client, &image, &Credentials::anonymous(), &authorities).await;
    assert_eq!(theirs.state, SignatureState::CannotTell);
    assert!(
        theirs.detail.ends_with("there are no credentials for it"),
        "{}",
        theirs.detail
    );
}
