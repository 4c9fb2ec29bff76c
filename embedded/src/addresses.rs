//! Loopback addresses for pods and services.
//!
//! On Linux every address in 127.0.0.0/8 belongs to this machine, without any setup. So every pod and every
//! service can have its own address, and several replicas can listen on the same port. Each cluster uses
//! its own block of 65,536 addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The second number of the addresses of each block. Other programs often use the numbers outside this range.
const BLOCKS: std::ops::RangeInclusive<u8> = 64..=126;
/// The last two numbers of an address and the port. A cluster owns a block as long as it listens there.
const CLAIM: (u8, u8, u16) = (255, 254, 10_250);
/// Pods use the lower half of a block, services the upper half.
const HALF: u16 = 1 << 15;

/// The addresses of one cluster. Its block is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Addresses {
    block: u8,
    _claim: TcpListener,
    assigned: Mutex<Assigned>,
}

#[derive(Debug, Default)]
struct Assigned {
    last_pod: u16,
    pods: BTreeSet<u16>,
    /// By namespace and name. A service that is deleted and created again has the same address again,
    /// because running pods may still use it.
    services: BTreeMap<(String, String), u16>,
}

impl Addresses {
    /// Claims a block that no other cluster on this machine uses.
    ///
    /// # Errors
    /// All blocks are in use, or the system refuses such addresses.
    pub(crate) fn claim() -> Result<Self, String> {
        for block in BLOCKS {
            match TcpListener::bind((Ipv4Addr::new(127, block, CLAIM.0, CLAIM.1), CLAIM.2)) {
                Ok(claim) => return Ok(Self { block, _claim: claim, assigned: Mutex::default() }),
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                Err(error) => {
                    return Err(format!(
                        "127.{block}.{}.{}: {error}; pods need loopback addresses of their own, which only Linux has",
                        CLAIM.0, CLAIM.1
                    ));
                }
            }
        }
        Err(format!(
            "every block from 127.{}.0.0 to 127.{}.0.0 is in use by another cluster",
            BLOCKS.start(),
            BLOCKS.end()
        ))
    }

    /// Assigns an address to a pod: the one that has been free for the longest time. `None` if all are in
    /// use.
    pub(crate) fn assign_to_pod(&self) -> Option<Ipv4Addr> {
        let mut assigned = self.assigned();
        let mut hosts = (0..HALF - 2).map(|step| (assigned.last_pod + step) % (HALF - 2) + 1);
        let host = hosts.find(|host| !assigned.pods.contains(host))?;
        assigned.pods.insert(host);
        assigned.last_pod = host;
        Some(self.at(host))
    }

    /// Frees a pod's address.
    pub(crate) fn release(&self, address: Ipv4Addr) {
        let [_, _, high, low] = address.octets();
        self.assigned().pods.remove(&u16::from_be_bytes([high, low]));
    }

    /// The address of a service. The same name always has the same address.
    pub(crate) fn of_service(&self, namespace: &str, name: &str) -> Ipv4Addr {
        let mut assigned = self.assigned();
        let next = HALF + 1 + u16::try_from(assigned.services.len()).unwrap_or(0) % (HALF / 2);
        let key = (namespace.to_owned(), name.to_owned());
        self.at(*assigned.services.entry(key).or_insert(next))
    }

    fn at(&self, host: u16) -> Ipv4Addr {
        let [high, low] = host.to_be_bytes();
        Ipv4Addr::new(127, self.block, high, low)
    }

    fn assigned(&self) -> MutexGuard<'_, Assigned> {
        self.assigned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clusters_have_no_address_in_common() {
        let (one, two) = (Addresses::claim().unwrap(), Addresses::claim().unwrap());
        assert_ne!(one.assign_to_pod().unwrap().octets()[1], two.assign_to_pod().unwrap().octets()[1]);
    }

    #[test]
    fn a_free_address_is_not_reused_at_once_and_a_service_keeps_its_address() {
        let addresses = Addresses::claim().unwrap();
        let first = addresses.assign_to_pod().unwrap();
        addresses.release(first);
        assert_ne!(addresses.assign_to_pod().unwrap(), first, "clients may still connect to the old pod");
        let service = addresses.of_service("default", "a");
        assert_ne!(addresses.of_service("other", "a"), service);
        assert_eq!(addresses.of_service("default", "a"), service);
    }
}
