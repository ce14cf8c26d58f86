//! The number of connections of each address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts and limits the connections of each address.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    /// Maximum number of connections of one address; 0 is no limit.
    limit: u32,
    open: Arc<Mutex<HashMap<IpAddr, u32>>>,
}

/// The permit for one connection of an address. Dropping it releases the permit.
#[derive(Debug)]
pub(super) struct AddressPermit {
    addresses: Addresses,
    from: IpAddr,
}

impl Addresses {
    pub(super) fn new(limit: u32) -> Self {
        Self { limit, open: Arc::default() }
    }

    /// A permit for one more connection; `None` if the address has reached the limit.
    pub(super) fn acquire(&self, from: IpAddr) -> Option<AddressPermit> {
        let from = network(from);
        let mut open = self.lock();
        let count = open.get(&from).copied().unwrap_or(0);
        if self.limit > 0 && count >= self.limit {
            return None;
        }
        open.insert(from, count + 1);
        drop(open);
        Some(AddressPermit { addresses: self.clone(), from })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        // No code that could panic runs under the lock.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        let mut open = self.addresses.lock();
        if let Some(count) = open.get_mut(&self.from) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.from);
            }
        }
    }
}

/// The address to count by: an IPv4 address, or an IPv6 network of 64 bits. A provider assigns such
/// a network to one customer.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_at_most_the_limit_and_permits_are_released() {
        let addresses = Addresses::new(2);
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = addresses.acquire(at("10.0.0.1")).unwrap();
        let mapped = addresses.acquire(at("::ffff:10.0.0.1")).unwrap();
        assert!(addresses.acquire(at("10.0.0.1")).is_none());
        let other = addresses.acquire(at("10.0.0.2")).unwrap();
        drop(first);
        let again = addresses.acquire(at("10.0.0.1")).unwrap();
        drop((mapped, other, again));
        assert!(addresses.lock().is_empty());
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address_and_zero_is_no_limit() {
        let addresses = Addresses::new(1);
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        let _one = addresses.acquire(at("2001:db8::1")).unwrap();
        assert!(addresses.acquire(at("2001:db8::ffff:1")).is_none());
        assert!(addresses.acquire(at("2001:db8:0:1::1")).is_some());
        let unlimited = Addresses::new(0);
        let all: Vec<_> = (0..5_000).map(|_| unlimited.acquire(at("10.0.0.1")).unwrap()).collect();
        assert_eq!(all.len(), 5_000);
    }
}
