//! How many connections each address has.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts connections, so that no address has them all.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    /// 0 is no limit.
    most: u32,
    open: Arc<Mutex<HashMap<IpAddr, u32>>>,
}

/// One connection of an address; dropping it makes room for another.
#[derive(Debug)]
pub(super) struct OfAddress {
    addresses: Addresses,
    from: IpAddr,
}

impl Addresses {
    pub(super) fn new(most: u32) -> Self {
        Self { most, open: Arc::default() }
    }

    /// Counts one more, or `None` when the address has as many as it may.
    pub(super) fn take(&self, from: IpAddr) -> Option<OfAddress> {
        let from = network(from);
        let mut open = self.lock();
        let count = open.get(&from).copied().unwrap_or(0);
        if self.most > 0 && count >= self.most {
            return None;
        }
        open.insert(from, count + 1);
        drop(open);
        Some(OfAddress { addresses: self.clone(), from })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        // Nothing panics while the counts are locked.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OfAddress {
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

/// What one customer of a provider has: an IPv4 address, or an IPv6 network of 64 bits.
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
    fn an_address_has_no_more_than_its_connections_and_gets_them_back() {
        let addresses = Addresses::new(2);
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = addresses.take(at("10.0.0.1")).unwrap();
        let mapped = addresses.take(at("::ffff:10.0.0.1")).unwrap();
        assert!(addresses.take(at("10.0.0.1")).is_none());
        let other = addresses.take(at("10.0.0.2")).unwrap();
        drop(first);
        let again = addresses.take(at("10.0.0.1")).unwrap();
        drop((mapped, other, again));
        assert!(addresses.lock().is_empty());
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_and_zero_is_no_limit() {
        let addresses = Addresses::new(1);
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        let _one = addresses.take(at("2001:db8::1")).unwrap();
        assert!(addresses.take(at("2001:db8::ffff:1")).is_none());
        assert!(addresses.take(at("2001:db8:0:1::1")).is_some());
        let unlimited = Addresses::new(0);
        let all: Vec<_> = (0..5_000).map(|_| unlimited.take(at("10.0.0.1")).unwrap()).collect();
        assert_eq!(all.len(), 5_000);
    }
}
