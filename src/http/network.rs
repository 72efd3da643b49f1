//! Networks as CIDR prefixes (RFC 4632 section 3.1, RFC 4291 section 2.3): `10.0.0.0/8`, `2001:db8::/32`, or one
//! address. Looks no name up.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// More networks than any deployment has proxies: the list is walked for every address of every request.
pub const NETWORKS_MAX: usize = 256;

/// One network: an address and how many of its leading bits count. The other bits are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

/// Some networks, such as those of the proxies that are trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

/// Why a text is no list of networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Neither an address nor one with a prefix length.
    #[error("it is not a list of addresses and networks such as 10.0.0.0/8,192.0.2.7,2001:db8::/32")]
    Malformed,
    /// A prefix longer than an address of its family.
    #[error("a prefix has at most 32 bits in IPv4 and 128 in IPv6")]
    PrefixTooLong,
    /// Bits past the prefix are set, so that it is unclear what was meant.
    #[error("a network has bits set past its prefix: write the address of the network, or the address alone")]
    HostBits,
    /// More than [`NETWORKS_MAX`].
    #[error("it has more than {NETWORKS_MAX} networks")]
    TooMany,
}

impl Network {
    /// Parses an address with an optional prefix length.
    ///
    /// # Errors
    /// [`NetworkError`] says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Malformed)?;
        let whole = Self::from(address);
        let Some(prefix) = prefix else { return Ok(whole) };
        if prefix.is_empty() || prefix.len() > 3 || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NetworkError::Malformed);
        }
        let prefix_bits = prefix.parse().map_err(|_| NetworkError::PrefixTooLong)?;
        if prefix_bits > whole.prefix_bits {
            return Err(NetworkError::PrefixTooLong);
        }
        match prefix_of(address, prefix_bits) == address {
            true => Ok(Self { address, prefix_bits }),
            false => Err(NetworkError::HostBits),
        }
    }

    /// Whether the address lies in it. An IPv4 address that is written as IPv6 (RFC 4291 section 2.5.5.2), as a socket
    /// for both families shows its peers, is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let same_family = self.address.is_ipv4() == address.is_ipv4();
        same_family && prefix_of(address, self.prefix_bits) == self.address
    }
}

/// The network of this address alone.
impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, prefix_bits: if address.is_ipv4() { 32 } else { 128 } }
    }
}

/// The address with all bits past the first `bits` zero.
fn prefix_of(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits.into())).unwrap_or(0);
            IpAddr::V4((u32::from(address) & mask).into())
        }
        IpAddr::V6(address) => IpAddr::V6(prefix_v6(address, bits)),
    }
}

fn prefix_v6(address: Ipv6Addr, bits: u8) -> Ipv6Addr {
    let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits.into())).unwrap_or(0);
    (u128::from(address) & mask).into()
}

impl Networks {
    /// Parses networks separated by commas; nothing between or after them.
    ///
    /// # Errors
    /// [`NetworkError`] says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let networks: Result<Vec<_>, _> =
            text.split(',').take(NETWORKS_MAX + 1).map(|item| Network::parse(item.trim())).collect();
        match networks? {
            networks if networks.len() > NETWORKS_MAX => Err(NetworkError::TooMany),
            networks => Ok(Self(networks)),
        }
    }

    /// Whether the address lies in any of them.
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Network> for Networks {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self == Self::from(self.address) {
            true => write!(f, "{}", self.address),
            false => write!(f, "{}/{}", self.address, self.prefix_bits),
        }
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, network) in self.0.iter().enumerate() {
            let separator = if position > 0 { "," } else { "" };
            write!(f, "{separator}{network}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn contain(networks: &str, address: &str) -> bool {
        Networks::parse(networks).unwrap().contain(address.parse().unwrap())
    }

    #[test]
    fn an_address_is_found_by_its_prefix() {
        let networks = "10.0.0.0/8, 192.0.2.7,2001:db8::/33,::1";
        for inside in ["10.255.0.1", "::ffff:10.1.2.3", "192.0.2.7", "2001:db8:7fff::", "::1"] {
            assert!(contain(networks, inside), "{inside}");
        }
        for outside in ["11.0.0.0", "192.0.2.8", "2001:db8:8000::", "::2", "::ffff:11.0.0.0", "::a00:1"] {
            assert!(!contain(networks, outside), "{outside}");
        }
        assert!(contain("0.0.0.0/0", "203.0.113.9") && !contain("0.0.0.0/0", "2001:db8::1"));
        assert!(contain("::/0", "2001:db8::1") && !contain("::/0", "203.0.113.9"));
        assert!(!Networks::default().contain(IpAddr::V6(Ipv6Addr::LOCALHOST)));
    }

    #[test]
    fn mistakes_are_named() {
        use NetworkError::{HostBits, Malformed, PrefixTooLong, TooMany};
        let cases =
            ["", "10.0.0.0/", "10.0.0.0/+8", "10.0.0/8", "proxy", "10.0.0.1,", "[::1]", "::1/128/1", "10.0.0.0/0008"];
        for text in cases {
            assert_eq!(Networks::parse(text), Err(Malformed), "{text}");
        }
        for text in ["10.0.0.0/33", "::/129", "::/999"] {
            assert_eq!(Networks::parse(text), Err(PrefixTooLong), "{text}");
        }
        assert_eq!(Networks::parse("10.0.0.1/8"), Err(HostBits));
        assert_eq!(Networks::parse(&vec!["::1"; NETWORKS_MAX + 1].join(",")), Err(TooMany));
        assert!(Networks::parse(&vec!["::1"; NETWORKS_MAX].join(",")).is_ok());
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(number in any::<u128>(), bits in 0_u8..=128, v4 in any::<bool>()) {
            let address = match v4 {
                true => IpAddr::V4((number as u32).into()),
                false => IpAddr::V6(number.into()),
            };
            let bits = if v4 { bits.min(32) } else { bits };
            let network = Network::parse(&format!("{}/{bits}", prefix_of(address, bits)))?;
            prop_assert!(network.contains(address));
            let networks: Networks = [network, network].into_iter().collect();
            prop_assert_eq!(Networks::parse(&networks.to_string()), Ok(networks));
        }
    }
}
