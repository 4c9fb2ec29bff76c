//! Who asks: bearer tokens and what they stand for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use crate::status::Status;

/// Somebody whose token is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// The owner of the cluster, who may do everything.
    Admin,
    /// A pod that runs under a ServiceAccount.
    ServiceAccount {
        /// The account's namespace.
        namespace: String,
        /// The account's name.
        name: String,
    },
}

impl Identity {
    /// The name that messages and RoleBindings use.
    pub fn user(&self) -> String {
        match self {
            Self::Admin => "kubernetes-admin".into(),
            Self::ServiceAccount { namespace, name } => format!("system:serviceaccount:{namespace}:{name}"),
        }
    }

    /// The groups it belongs to.
    pub fn groups(&self) -> Vec<String> {
        let mut groups = match self {
            Self::Admin => vec!["system:masters".into()],
            Self::ServiceAccount { namespace, .. } => {
                vec!["system:serviceaccounts".into(), format!("system:serviceaccounts:{namespace}")]
            }
        };
        groups.push("system:authenticated".into());
        groups
    }
}

/// The tokens of one cluster. They live as long as it does. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Tokens {
    admin: String,
    accounts: Arc<Mutex<HashMap<(String, String), String>>>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// Makes the admin's token. Fails when the system has no random numbers.
    pub fn new() -> Result<Self, getrandom::Error> {
        Ok(Self { admin: random()?, accounts: Arc::default() })
    }

    /// The token that may do everything.
    pub fn admin(&self) -> &str {
        &self.admin
    }

    /// The token of a ServiceAccount: made at the first call, the same ever after.
    pub fn service_account(&self, namespace: &str, name: &str) -> Result<String, getrandom::Error> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let account = (namespace.to_owned(), name.to_owned());
        if let Some(token) = accounts.get(&account) {
            return Ok(token.clone());
        }
        let token = random()?;
        accounts.insert(account, token.clone());
        Ok(token)
    }

    /// Whose request it is.
    pub(super) fn identify(&self, headers: &HeaderMap) -> Result<Identity, Status> {
        let token = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        let identity = token.and_then(|token| self.owner(token));
        let identity = identity.ok_or_else(|| Status::new(401, "Unauthorized", "Unauthorized"))?;
        match headers.get("impersonate-user") {
            None => Ok(identity),
            Some(user) => impersonate(&identity, user.to_str().unwrap_or_default()),
        }
    }

    fn owner(&self, token: &str) -> Option<Identity> {
        if same(token, &self.admin) {
            return Some(Identity::Admin);
        }
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let ((namespace, name), _) = accounts.iter().find(|(_, known)| same(token, known))?;
        Some(Identity::ServiceAccount { namespace: namespace.clone(), name: name.clone() })
    }
}

/// `kubectl --as`: the admin may speak for a ServiceAccount.
fn impersonate(identity: &Identity, user: &str) -> Result<Identity, Status> {
    let forbidden =
        |why: &str| Err(Status::new(403, "Forbidden", format!("users \"{user}\" is forbidden: {why}")));
    if *identity != Identity::Admin {
        return forbidden(&format!(
            "User \"{}\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope",
            identity.user()
        ));
    }
    let account = user.strip_prefix("system:serviceaccount:").and_then(|account| account.split_once(':'));
    match account {
        Some((namespace, name)) => {
            Ok(Identity::ServiceAccount { namespace: namespace.into(), name: name.into() })
        }
        None => forbidden("this cluster knows no users but ServiceAccounts"),
    }
}

/// Compares in a time that says nothing about where they differ.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

fn random() -> Result<String, getrandom::Error> {
    use std::fmt::Write;

    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    let mut text = String::with_capacity(64);
    for byte in bytes {
        // A String takes everything.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}
