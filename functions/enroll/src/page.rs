//! The enrolment page: works on a phone, without JavaScript, and gives nothing away.
//!
//! GET and HEAD look and change nothing, so a mail scanner may open the link as often as it likes. The first button
//! opens this browser's session; its secret lies in a cookie. The second gives the first code.

use std::sync::LazyLock;

use askama::Template;
use data_encoding::BASE64;
use lambda_http::Body;
use lambda_http::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, RETRY_AFTER,
    SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
};
use otpost_domain::enrolment::DeadLink;
use otpost_domain::ids::BearerCode;
use otpost_domain::qr;
use otpost_edge::http::{Answer, Call, response};
use otpost_edge::openapi::Document;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::enroll::{EnrollError, Invitation, Started, activate, look, start};
use otpost_service::ports::{Clock as _, Ports};
use sha2::{Digest, Sha256};

use crate::ROUTES;

const STYLE: &str = include_str!("../templates/style.css");

/// Nothing is loaded from anywhere; only our own style applies; the form goes back to where it came from.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = BASE64.encode(&Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; img-src data:; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    )
});

#[derive(Template)]
#[template(path = "invitation.html")]
struct InvitationPage<'a> {
    style: &'a str,
    invitation: &'a Invitation,
    expires: String,
    fault: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "scan.html")]
struct ScanPage<'a> {
    style: &'a str,
    started: &'a Started,
    secret_groups: String,
    qr: String,
    minutes: u64,
    fault: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "done.html")]
struct DonePage<'a> {
    style: &'a str,
    tenant_name: &'a str,
    serial: &'a str,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    style: &'a str,
    title: &'a str,
    advice: &'a str,
    again: bool,
}

pub(crate) async fn show(ports: &impl Ports, call: &Call) -> Answer {
    invitation(ports, call, 200, None).await
}

async fn invitation(ports: &impl Ports, call: &Call, status: u16, fault: Option<&str>) -> Answer {
    match look(ports, call.parameter("code")).await {
        Ok(invitation) => {
            let expires = invitation.expires_at.for_people("en");
            let body = InvitationPage { style: STYLE, invitation: &invitation, expires, fault };
            page(call, status, &body, Vec::new())
        }
        Err(error) => problem(call, error),
    }
}

/// What is wrong with the authorization code that was typed, if that is what is wrong.
fn fault_of_authorization(error: &EnrollError) -> Option<String> {
    Some(match error {
        EnrollError::AuthorizationNeeded => {
            "Type the authorization code that you were given, by telephone or in person.".to_owned()
        }
        EnrollError::AuthorizationFormat(fault) => format!("That is not one: {fault}."),
        EnrollError::WrongAuthorization { left: 1 } => {
            "That is not the code that belongs to this link. One more try is left.".to_owned()
        }
        EnrollError::WrongAuthorization { left } => {
            format!("That is not the code that belongs to this link. {left} more tries are left.")
        }
        _ => return None,
    })
}

pub(crate) async fn press(ports: &impl Ports, call: &Call) -> Answer {
    let form = match call.form() {
        Ok(form) => form,
        Err(fault) => return problem_page(call, &fault, "That did not work", &fault.detail, true),
    };
    let link = call.parameter("code");
    let session = call.cookie(&cookie_name(link)).and_then(|cookie| BearerCode::try_from(cookie).ok());
    match (form.get("action").map(String::as_str), session) {
        (Some("activate"), Some(session)) => {
            let code = form.get("code").map_or("", String::as_str);
            match activate(ports, link, &session.hash(), code).await {
                Ok(activated) => {
                    // What the page needs is known; the session's cookie has done its work.
                    let tenant = activated.tenant_name;
                    let serial = activated.token.serial.to_string();
                    let done = DonePage { style: STYLE, tenant_name: &tenant, serial: &serial };
                    page(call, 200, &done, vec![(SET_COOKIE, forget_cookie(link))])
                }
                Err(error @ (EnrollError::WrongCode | EnrollError::Format(_))) => {
                    let fault = match &error {
                        EnrollError::Format(fault) => format!("That is not a code: {fault}."),
                        _ => "That code is not right. Type the next one that your app shows. If it is refused too, check that \
                              the app took the picture on this page, and that your phone sets its time automatically."
                            .to_owned(),
                    };
                    let status = Problem::from(error).kind.status();
                    scan(ports, call, link, Some(session), None, status, Some(&fault)).await
                }
                Err(error) => problem(call, error),
            }
        }
        // Nobody's session: what became of the link is the better answer, e.g. after a reload of the last page.
        (Some("activate"), None) => {
            let error = look(ports, link).await.err().unwrap_or(EnrollError::SessionOver);
            problem(call, error)
        }
        (_, session) => {
            let authorization = form.get("authorization_code").map(String::as_str);
            scan(ports, call, link, session, authorization, 200, None).await
        }
    }
}

async fn scan(
    ports: &impl Ports,
    call: &Call,
    link: &str,
    session: Option<BearerCode>,
    authorization: Option<&str>,
    status: u16,
    fault: Option<&str>,
) -> Answer {
    let started = match start(ports, link, session, authorization).await {
        Ok(started) => started,
        Err(error) => {
            return match fault_of_authorization(&error) {
                Some(fault) => {
                    invitation(ports, call, Problem::from(error).kind.status(), Some(&fault)).await
                }
                None => problem(call, error),
            };
        }
    };
    let left = ports.clock().now().until(started.expires_at);
    let png = qr::png(started.otpauth.expose(), 6).map_err(|error| {
        Problem::new(ProblemType::Internal, format!("The QR code cannot be drawn: {error}."))
    })?;
    let groups: Vec<String> = started
        .secret
        .expose()
        .as_bytes()
        .chunks(4)
        .map(|group| String::from_utf8_lossy(group).into_owned())
        .collect();
    let body = ScanPage {
        style: STYLE,
        started: &started,
        secret_groups: groups.join(" "),
        qr: BASE64.encode(&png),
        minutes: left.as_secs().div_ceil(60),
        fault,
    };
    let cookie = started.session.as_ref().map(|session| {
        let cookie = format!(
            "{}={}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={}",
            cookie_name(link),
            session.expose(),
            left.as_secs()
        );
        (SET_COOKIE, cookie)
    });
    page(call, status, &body, cookie.into_iter().collect())
}

fn problem(call: &Call, error: EnrollError) -> Answer {
    let (title, advice, again) = match &error {
        EnrollError::Dead(DeadLink::Unknown) => (
            "This link is not known",
            "Check that you opened the whole link, as it stands in your message. If it was cut off, copy it into your \
             browser's address field.",
            false,
        ),
        EnrollError::Dead(DeadLink::Expired) => {
            ("This link has expired", "Nothing was changed. Ask your helpdesk to send you a new one.", false)
        }
        EnrollError::Dead(DeadLink::Used) => (
            "This link has been used",
            "The app that gave the first code is set up, and its codes work. If that was yours, there is nothing more to \
             do. If it was not, tell your helpdesk at once.",
            false,
        ),
        EnrollError::Dead(DeadLink::Superseded) => (
            "There is a newer link",
            "Another message was sent after this one. Please open the link in the newest message.",
            false,
        ),
        EnrollError::Dead(DeadLink::Withdrawn) => (
            "This link has been withdrawn",
            "Nothing was changed. Ask your helpdesk whether you are to get another one.",
            false,
        ),
        EnrollError::Dead(DeadLink::Spent) => (
            "Too many wrong authorization codes",
            "This link takes no more of them. Ask your helpdesk to send you a new one. If you have not tried yourself, tell \
             them so.",
            false,
        ),
        EnrollError::TooManySessions { .. } => (
            "Too many browsers at once",
            "This link is open in five browsers already. Go on in one of them, or try again in ten minutes.",
            false,
        ),
        EnrollError::SessionOver => (
            "Please start again",
            "If this browser has told you that your app is set up, you are done: close this page and keep the app. \
             Otherwise ten minutes have passed, or your browser keeps no cookies; then remove the entry from your app, \
             because it will not work, and start again.",
            true,
        ),
        EnrollError::TooManyWrongCodes => (
            "Too many wrong codes",
            "This page takes no more codes. Remove the entry from your app, because it will not work, and start again.",
            true,
        ),
        EnrollError::Busy
        | EnrollError::Port(_)
        | EnrollError::WrongCode
        | EnrollError::Format(_)
        | EnrollError::AuthorizationNeeded
        | EnrollError::AuthorizationFormat(_)
        | EnrollError::WrongAuthorization { .. } => {
            ("That did not work", "Nothing was changed. Please try again in a moment.", true)
        }
    };
    // A spent session makes room: whoever starts again gets a fresh seed.
    let spent = matches!(error, EnrollError::TooManyWrongCodes);
    let answer = problem_page(call, &error.into(), title, advice, again);
    if !spent {
        return answer;
    }
    answer.map(|mut response| {
        if let Ok(cookie) = forget_cookie(call.parameter("code")).parse() {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    })
}

fn problem_page(call: &Call, problem: &Problem, title: &str, advice: &str, again: bool) -> Answer {
    let wait = problem.retry_after.map(|wait| (RETRY_AFTER, wait.as_secs().max(1).to_string()));
    let body = ProblemPage { style: STYLE, title, advice, again };
    page(call, problem.kind.status(), &body, wait.into_iter().collect())
}

fn page(call: &Call, status: u16, body: &impl Template, more: Vec<(HeaderName, String)>) -> Answer {
    let body = match call.route.method {
        "HEAD" => Body::Empty,
        _ => Body::Text(body.render().map_err(|error| {
            Problem::new(ProblemType::Internal, format!("The page cannot be drawn: {error}."))
        })?),
    };
    let mut headers = vec![
        (CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (CACHE_CONTROL, "no-store".to_owned()),
        (REFERRER_POLICY, "no-referrer".to_owned()),
        (CONTENT_SECURITY_POLICY, POLICY.clone()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (HeaderName::from_static("x-robots-tag"), "noindex, nofollow".to_owned()),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin".to_owned()),
    ];
    headers.extend(more);
    Ok(response(status, headers, body))
}

/// One cookie a link, so that two enrolments in one browser do not meet. The name says nothing of the link.
fn cookie_name(link: &str) -> String {
    let hash = Sha256::digest(format!("cookie {link}"));
    format!("__Host-otpost-{}", data_encoding::HEXLOWER.encode(hash.get(..6).unwrap_or_default()))
}

fn forget_cookie(link: &str) -> String {
    format!("{}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0", cookie_name(link))
}

pub(crate) fn describe(document: &mut Document) {
    const DEAD: [ProblemType; 2] = [ProblemType::NotFound, ProblemType::DeadLink];
    document
        .named(&ROUTES, "showInvitation")
        .answers_html(200, "The invitation, with a button.")
        .fails(&DEAD);
    document.named(&ROUTES, "probeInvitation").answers_nothing(200, "The link works.").fails(&DEAD);
    let fields = [
        ("action", "start or activate"),
        ("authorization_code", "the authorization code, with start, where the link needs one"),
        ("code", "the first code, with activate"),
    ];
    let pressed = document.named(&ROUTES, "useInvitation").takes_form(&fields);
    pressed
        .answers_html(200, "The QR code and the field for the first code, or the end of the enrolment.")
        .fails(&[
            ProblemType::AuthorizationRequired,
            ProblemType::NotFound,
            ProblemType::DeadLink,
            ProblemType::EnrolmentSessionOver,
            ProblemType::InvalidCode,
            ProblemType::TooManyAttempts,
            ProblemType::Busy,
        ]);
}
