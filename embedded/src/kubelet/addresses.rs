//! Addresses of this machine's own: a block of 127.0.0.0/8 for each cluster.
//!
//! On Linux every address of 127.0.0.0/8 is this machine, without any setting up. So each pod and each
//! service has an address of its own, and eight replicas may listen on the same port.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The second numbers that are tried: below and above are others' favourites.
const BLOCKS: std::ops::RangeInclusive<u8> = 64..=126;
/// Whoever listens here has the block. The port is the kubelet's.
const CLAIM: (u8, u8, u16) = (255, 254, 10_250);
/// Pods have the lower half of a block, services the upper one.
const HALF: u16 = 1 << 15;

/// The addresses of one cluster, until this is dropped.
#[derive(Debug)]
pub(crate) struct Addresses {
    block: u8,
    _claim: TcpListener,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last_pod: u16,
    pods: BTreeSet<u16>,
    /// By namespace and name. Never given to another: a pod that started when the service had gone for
    /// a moment still finds it.
    services: BTreeMap<(String, String), u16>,
}

impl Addresses {
    /// Takes a block that no other cluster on this machine has.
    ///
    /// # Errors
    /// In words, why there is none.
    pub(crate) fn claim() -> Result<Self, String> {
        for block in BLOCKS {
            match TcpListener::bind((Ipv4Addr::new(127, block, CLAIM.0, CLAIM.1), CLAIM.2)) {
                Ok(claim) => return Ok(Self { block, _claim: claim, state: Mutex::default() }),
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                Err(error) => {
                    return Err(format!(
                        "127.{block}.{}.{}: {error}; pods need loopback addresses of their own, as Linux has them",
                        CLAIM.0, CLAIM.1
                    ));
                }
            }
        }
        Err(format!("every block from 127.{}.0.0 to 127.{}.0.0 is taken", BLOCKS.start(), BLOCKS.end()))
    }

    /// An address for a pod: the one that has been free for the longest time.
    pub(crate) fn take(&self) -> Option<Ipv4Addr> {
        let mut state = self.state();
        let mut hosts = (0..HALF - 2).map(|step| (state.last_pod + step) % (HALF - 2) + 1);
        let host = hosts.find(|host| !state.pods.contains(host))?;
        state.pods.insert(host);
        state.last_pod = host;
        Some(self.at(host))
    }

    /// Gives a pod's address back.
    pub(crate) fn give_back(&self, address: Ipv4Addr) {
        let [_, _, high, low] = address.octets();
        self.state().pods.remove(&u16::from_be_bytes([high, low]));
    }

    /// The address of a service; the same for the same name, always.
    pub(crate) fn of_service(&self, namespace: &str, name: &str) -> Ipv4Addr {
        let mut state = self.state();
        let next = HALF + 1 + u16::try_from(state.services.len()).unwrap_or(0) % (HALF / 2);
        let key = (namespace.to_owned(), name.to_owned());
        self.at(*state.services.entry(key).or_insert(next))
    }

    fn at(&self, host: u16) -> Ipv4Addr {
        let [high, low] = host.to_be_bytes();
        Ipv4Addr::new(127, self.block, high, low)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clusters_have_no_address_in_common() {
        let (one, two) = (Addresses::claim().unwrap(), Addresses::claim().unwrap());
        assert_ne!(one.take().unwrap().octets()[1], two.take().unwrap().octets()[1]);
    }

    #[test]
    fn an_address_is_not_used_again_at_once_and_a_name_keeps_its_own() {
        let addresses = Addresses::claim().unwrap();
        let first = addresses.take().unwrap();
        addresses.give_back(first);
        assert_ne!(addresses.take().unwrap(), first, "connections to the old pod may still be on their way");
        let service = addresses.of_service("default", "a");
        assert_ne!(addresses.of_service("other", "a"), service);
        assert_eq!(addresses.of_service("default", "a"), service);
    }
}
