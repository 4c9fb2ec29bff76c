//! Identities of clients, and the bearer tokens that prove them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use crate::refusal::Refusal;

/// A client with a known token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Identity {
    /// The owner of the cluster, with all rights.
    Admin,
    /// A ServiceAccount, which pods use.
    ServiceAccount {
        /// The account's namespace.
        namespace: String,
        /// The account's name.
        name: String,
    },
}

impl Identity {
    /// The name of the user in messages and RoleBindings.
    pub(crate) fn user(&self) -> String {
        match self {
            Self::Admin => "kubernetes-admin".into(),
            Self::ServiceAccount { namespace, name } => format!("system:serviceaccount:{namespace}:{name}"),
        }
    }

    /// The groups of the user.
    pub(crate) fn groups(&self) -> Vec<String> {
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

/// The tokens of one cluster. They are valid as long as it runs. Clones share the same tokens.
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
    /// Creates the admin's token. Fails if the system has no random numbers.
    pub fn new() -> Result<Self, getrandom::Error> {
        Ok(Self { admin: random()?, accounts: Arc::default() })
    }

    /// The token of the admin.
    pub fn admin(&self) -> &str {
        &self.admin
    }

    /// The token of a ServiceAccount. Created by the first call, and the same in later calls.
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

    /// The identity of the client that sent these headers.
    pub(crate) fn identify(&self, headers: &HeaderMap) -> Result<Identity, Refusal> {
        let token = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        let identity = token.and_then(|token| self.owner(token));
        let identity = identity.ok_or_else(|| Refusal::new(401, "Unauthorized", "Unauthorized"))?;
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

/// Impersonation (`kubectl --as`). The admin may impersonate ServiceAccounts.
fn impersonate(identity: &Identity, user: &str) -> Result<Identity, Refusal> {
    let forbidden =
        |why: &str| Err(Refusal::new(403, "Forbidden", format!("users \"{user}\" is forbidden: {why}")));
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
        None => forbidden("this cluster has no users except ServiceAccounts"),
    }
}

/// Compares two texts in constant time, so that the time reveals nothing about a token.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

/// 256 random bits in hexadecimal.
fn random() -> Result<String, getrandom::Error> {
    use std::fmt::Write;

    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    let mut text = String::with_capacity(64);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}
