//! What the API server is told about the user: tokens, and programs and files that renew them.
//!
//! kube has this, too. But there a token that no header can carry ends the program, a credential plugin has no
//! deadline, and its variables are in the error.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Request, Response, StatusCode, header};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use kube::client::Body;
use kube::config::AuthInfo;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tower::{BoxError, Layer, Service, ServiceExt};

use super::plugin::{Plugin, Printed};
use crate::wait::{Tell, silent};

/// A token file is read again after this time, because its writer replaces it before it expires.
const FILE_IS_FRESH: Duration = Duration::from_mins(1);
/// A token is renewed this long before it expires.
const BEFORE_EXPIRY: Duration = Duration::from_mins(1);

/// The bearer token of every call; renewed if its source can.
#[derive(Clone, Debug)]
pub(super) struct Credentials(Option<Arc<Mutex<Token>>>);

#[derive(Debug)]
struct Token {
    source: Source,
    /// `None` if the plugin has given a certificate instead.
    header: Option<HeaderValue>,
    /// `None` for a token that is used until the server refuses it.
    stale: Option<Instant>,
    expires: Option<Timestamp>,
}

#[derive(Clone, Debug)]
enum Source {
    Fixed,
    File(String),
    Plugin(Box<Plugin>),
}

impl Credentials {
    /// Takes token, token file and plugin out of the kubeconfig's user; certificates and passwords stay there.
    ///
    /// # Errors
    /// A sentence that names the part of the kubeconfig, without its value.
    pub(super) async fn take(user: &mut AuthInfo, tell: &Tell<'_>) -> Result<Self, String> {
        if user.username.is_some() && user.password.is_some() {
            return Ok(Self(None));
        }
        let (source, printed) = if let Some(token) = inline_token(user)? {
            (Source::Fixed, Printed { token: Some(token), ..Printed::default() })
        } else if let Some(path) = user.token_file.take().filter(|path| !path.is_empty()) {
            let source = Source::File(path);
            let printed = source.read(tell).await?;
            (source, printed)
        } else if let Some(exec) = user.exec.take() {
            let source = Source::Plugin(Box::new(Plugin::new(exec)));
            let printed = source.read(tell).await?;
            use_certificate(user, &printed)?;
            (source, printed)
        } else {
            return Ok(Self(None));
        };
        (user.token, user.token_file, user.exec) = (None, None, None);
        let mut token = Token { source, header: None, stale: None, expires: None };
        token.set(&printed)?;
        Ok(Self(Some(Arc::new(Mutex::new(token)))))
    }

    /// When the token in use has expired, if it tells and has.
    pub(super) async fn expired(&self) -> Option<Timestamp> {
        let token = self.0.as_ref()?.lock().await;
        token.expires.filter(|expires| *expires <= Timestamp::now())
    }

    /// The header of the next call; `None` if there is no token.
    async fn header(&self) -> Result<Option<HeaderValue>, BoxError> {
        let Some(token) = &self.0 else { return Ok(None) };
        let mut token = token.lock().await;
        if token.stale.is_some_and(|stale| stale <= Instant::now()) {
            token.renew().await?;
        }
        Ok(token.header.clone())
    }

    /// A header other than the one that the server has refused; `None` if there is no other.
    async fn renewed(&self, refused: &HeaderValue) -> Option<HeaderValue> {
        let mut token = self.0.as_ref()?.lock().await;
        if matches!(token.source, Source::Fixed) {
            return None;
        }
        // Another call may have renewed it meanwhile.
        if token.header.as_ref() == Some(refused) {
            token.renew().await.ok()?;
        }
        token.header.clone().filter(|header| header != refused)
    }
}

impl Token {
    fn set(&mut self, printed: &Printed) -> Result<(), String> {
        let token = printed.token.as_deref().filter(|token| !token.is_empty());
        self.header = token.map(|token| bearer(token, &self.source.name())).transpose()?;
        self.expires = printed.expiration_timestamp.or_else(|| token.and_then(expiry_of));
        self.stale = match &self.source {
            Source::Fixed => None,
            Source::File(_) => Some(Instant::now() + FILE_IS_FRESH),
            Source::Plugin(_) => printed.expiration_timestamp.map(|expires| {
                let left = Duration::try_from(expires.duration_since(Timestamp::now())).unwrap_or_default();
                // A clock that is off must not run the plugin for each call.
                Instant::now() + left.saturating_sub(BEFORE_EXPIRY).max(Duration::from_secs(5))
            }),
        };
        Ok(())
    }

    async fn renew(&mut self) -> Result<(), String> {
        match (self.source.clone().read(&silent).await, &self.source) {
            (Ok(printed), _) => self.set(&printed),
            // A file that is being replaced, or that was only there at the start.
            (Err(_), Source::File(_)) if self.header.is_some() => {
                self.stale = Some(Instant::now() + FILE_IS_FRESH);
                Ok(())
            }
            (Err(problem), _) => Err(problem),
        }
    }
}

impl Source {
    fn name(&self) -> String {
        match self {
            Self::Fixed => "the token of the kubeconfig".into(),
            Self::File(path) => format!("the token of {path}"),
            Self::Plugin(plugin) => format!("the token of {}", plugin.name()),
        }
    }

    async fn read(&self, tell: &Tell<'_>) -> Result<Printed, String> {
        match self {
            Self::Fixed => Ok(Printed::default()),
            Self::File(path) => {
                let text = std::fs::read_to_string(path);
                let text = text.map_err(|error| format!("tokenFile {path}: {error}"))?;
                if text.trim().is_empty() {
                    return Err(format!("tokenFile {path} is empty"));
                }
                Ok(Printed { token: Some(text.trim().to_owned()), ..Printed::default() })
            }
            Self::Plugin(plugin) => plugin.run(tell).await,
        }
    }
}

/// The token that stands in the kubeconfig itself.
fn inline_token(user: &mut AuthInfo) -> Result<Option<String>, String> {
    if let Some(provider) = user.auth_provider.take() {
        // Kubernetes' own clients have had none of the others since 1.26.
        let id_token = provider.config.get("id-token").filter(|_| provider.name == "oidc");
        return id_token.cloned().map(Some).ok_or_else(|| {
            format!(
                "the auth-provider {} of the kubeconfig gives no token; kubectl needs a credential plugin (exec) \
                 for it, too",
                provider.name
            )
        });
    }
    // The type that keeps the token secret shows it only to a serializer.
    let shown =
        serde_json::to_value(&*user).ok().and_then(|user| Some(user.get("token")?.as_str()?.to_owned()));
    Ok(shown.filter(|token| !token.is_empty()))
}

/// The header for a token. A header cannot carry a line break, for example.
fn bearer(token: &str, name: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
        let what = if token.contains(['\n', '\r']) { "a line break" } else { "a control character" };
        format!("{name} has {what} in it, which no header can carry")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Uses the certificate that a plugin has printed for the connection itself.
fn use_certificate(user: &mut AuthInfo, printed: &Printed) -> Result<(), String> {
    if let (Some(certificate), Some(key)) = (&printed.client_certificate_data, &printed.client_key_data) {
        let base64 = |pem: &str| serde_json::to_value(ByteString(pem.as_bytes().to_vec()));
        let data = serde_json::json!({
            "client-certificate-data": base64(certificate).unwrap_or_default(),
            "client-key-data": base64(key).unwrap_or_default(),
        });
        let from_plugin: AuthInfo = serde_json::from_value(data).map_err(|error| error.to_string())?;
        user.client_certificate_data = from_plugin.client_certificate_data;
        user.client_key_data = from_plugin.client_key_data;
    }
    Ok(())
}

/// When a JSON web token expires. A token may be anything else, too.
fn expiry_of(token: &str) -> Option<Timestamp> {
    let mut parts = token.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    let mut base64: String = claims
        .chars()
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            c => c,
        })
        .collect();
    while !base64.len().is_multiple_of(4) {
        base64.push('=');
    }
    let claims: ByteString = serde_json::from_value(base64.into()).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims.0).ok()?;
    Timestamp::from_second(claims.get("exp")?.as_i64()?).ok()
}

impl<S> Layer<S> for Credentials {
    type Service = Authorized<S>;

    fn layer(&self, inner: S) -> Authorized<S> {
        Authorized { inner, credentials: self.clone() }
    }
}

/// Adds the token to each call. A call that the server refuses with 401 is made once more with a new token.
#[derive(Clone, Debug)]
pub(super) struct Authorized<S> {
    inner: S,
    credentials: Credentials,
}

impl<S, B> Service<Request<Body>> for Authorized<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
    B: Send,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // The inner service is asked when the token is there.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let Self { inner, credentials } = self.clone();
        Box::pin(async move {
            let Some(header) = credentials.header().await? else { return inner.oneshot(request).await };
            let again = copy(&request);
            request.headers_mut().insert(header::AUTHORIZATION, header.clone());
            let response = inner.clone().oneshot(request).await?;
            let Some(mut again) = again.filter(|_| response.status() == StatusCode::UNAUTHORIZED) else {
                return Ok(response);
            };
            let Some(new) = credentials.renewed(&header).await else { return Ok(response) };
            again.headers_mut().insert(header::AUTHORIZATION, new);
            inner.oneshot(again).await
        })
    }
}

/// A second request like this one; `None` if its body can be sent only once.
pub(super) fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let mut copy = Request::new(request.body().try_clone()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    Some(copy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tower::service_fn;

    fn user(json: serde_json::Value) -> AuthInfo {
        serde_json::from_value(json).unwrap()
    }

    async fn header(json: serde_json::Value) -> Result<String, String> {
        let credentials = Credentials::take(&mut user(json), &silent).await?;
        let header = credentials.header().await.map_err(|error| error.to_string())?;
        Ok(header.map(|header| header.to_str().unwrap().to_owned()).unwrap_or_default())
    }

    #[tokio::test]
    async fn a_token_that_no_header_can_carry_is_refused_without_repeating_it() {
        for (token, words) in
            [("secret\n", "a line break"), ("sec\r\nret", "a line break"), ("sec\u{7}ret", "control")]
        {
            for user in [
                serde_json::json!({ "token": token }),
                serde_json::json!({ "auth-provider": { "name": "oidc", "config": { "id-token": token } } }),
            ] {
                let error = header(user).await.unwrap_err();
                assert!(error.contains(words) && !error.contains("sec"), "{error}");
            }
        }
        assert_eq!(header(serde_json::json!({ "token": "t" })).await.unwrap(), "Bearer t");
        assert_eq!(header(serde_json::json!({ "token": "" })).await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_token_file_may_end_with_a_line_break_and_is_read_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "first\n").unwrap();
        let mut user = user(serde_json::json!({ "tokenFile": file.path() }));
        let credentials = Credentials::take(&mut user, &silent).await.unwrap();
        let refused = credentials.header().await.unwrap().unwrap();
        assert_eq!(refused, "Bearer first");
        assert_eq!(credentials.renewed(&refused).await, None, "the file has no other token");
        std::fs::write(file.path(), "second\n").unwrap();
        assert_eq!(credentials.renewed(&refused).await.unwrap(), "Bearer second");
        std::fs::remove_file(file.path()).unwrap();
        let kept = credentials.renewed(&HeaderValue::from_static("Bearer second")).await;
        assert_eq!(kept, None, "the last token stays in use");
        assert_eq!(credentials.header().await.unwrap().unwrap(), "Bearer second");
    }

    #[tokio::test]
    async fn an_auth_provider_without_a_token_is_refused_by_name() {
        let gcp =
            serde_json::json!({ "auth-provider": { "name": "gcp", "config": { "cmd-path": "/bin/false" } } });
        assert!(header(gcp).await.unwrap_err().contains("auth-provider gcp"));
    }

    #[tokio::test]
    async fn a_call_that_is_refused_is_made_again_with_a_new_token() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "old").unwrap();
        let mut user = user(serde_json::json!({ "tokenFile": file.path() }));
        let credentials = Credentials::take(&mut user, &silent).await.unwrap();
        std::fs::write(file.path(), "new").unwrap();
        let server = service_fn(|request: Request<Body>| async move {
            let is_new = request.headers()[header::AUTHORIZATION] == "Bearer new";
            let status = if is_new { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
            Ok::<_, BoxError>(Response::builder().status(status).body(()).unwrap())
        });
        let service = credentials.layer(server);
        let answer = service.clone().oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }

    #[test]
    fn the_expiry_of_a_web_token_is_known() {
        // {"alg":"none"} . {"exp":1700000000,"sub":"system:serviceaccount:a:b??>"} . empty
        let claims = "eyJleHAiOjE3MDAwMDAwMDAsInN1YiI6InN5c3RlbTpzZXJ2aWNlYWNjb3VudDphOmI_Pz4ifQ";
        let expiry = expiry_of(&format!("eyJhbGciOiJub25lIn0.{claims}.")).unwrap();
        assert_eq!(expiry.as_second(), 1_700_000_000);
        assert_eq!(expiry_of("opaque"), None);
        assert_eq!(expiry_of("a.b.c"), None);
    }
}
