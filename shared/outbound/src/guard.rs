//! Connections to hosts that operators name: to public addresses, or to those that the deployment allows.
//!
//! A name is resolved once, and the connection goes to the very addresses that were looked at: whoever owns the name
//! has no second answer to give.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};

/// How many addresses of a host are tried: half of them of each family, if it has both.
const MOST: usize = 4;

/// What of IPv4 is no place of a public server: IANA's registry of special addresses (RFC 6890), multicast, and the
/// address by which one cloud tells its machines about themselves. Those of the other clouds lie in these ranges.
const CLOSED_4: &[(Ipv4Addr, u8)] = &[
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 52, 193, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(192, 175, 48, 0), 24),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// The part of IPv6 that is given to networks (RFC 4291 section 2.4); beyond it lies nothing public.
const GLOBAL_6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What of it is no place of a public server all the same: protocols' own addresses with Teredo (RFC 4380) and
/// benchmarking, documentation, AS112.
const CLOSED_6: &[(Ipv6Addr, u8)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Networks that a deployment allows beside what is public.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<(IpAddr, u8)>);

/// A list of networks that does not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNetwork {
    /// No address, a slash and the bits of a prefix.
    #[error("{0:?} is no network: write it as 10.0.0.0/8 or fd00::/8, with commas between networks")]
    Form(String),
    /// More bits than the address has.
    #[error("{0:?} has a prefix of more than {1} bits")]
    Prefix(String, u8),
    /// Bits beyond the prefix are set, so it is not clear what was meant.
    #[error("{0:?} is an address in a network and not the network: bits beyond its prefix must be zero")]
    Host(String),
}

impl Networks {
    /// Reads networks with commas between them, such as `127.0.0.0/8,::1/128`. An empty text allows none.
    ///
    /// # Errors
    /// [`BadNetwork`], with the network that is wrong.
    pub fn parse(text: &str) -> Result<Self, BadNetwork> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        text.split(',').map(|part| network(part.trim())).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a connection to `address` may be made: it is public, or in one of these networks. An address of IPv4
    /// inside one of IPv6 counts as what it is.
    #[must_use]
    pub fn allow(&self, address: IpAddr) -> bool {
        let inner = inner(address);
        let listed = |address: IpAddr| self.0.iter().any(|(network, bits)| is_in(address, *network, *bits));
        listed(address) || listed(inner) || is_public(inner)
    }
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoConnection {
    /// The host has no address, or nobody tells it now.
    #[error("the host's name cannot be resolved")]
    Unresolved,
    /// All its addresses are ones to which nothing may be sent.
    #[error(
        "the host's address is not public, and the deployment's setting allowedNetworks does not allow it"
    )]
    NotAllowed,
    /// Nobody listens there, or the way there is closed.
    #[error("the host refuses the connection, or there is no way to it")]
    Refused,
    /// Nobody answered in time.
    #[error("the host does not answer")]
    Silent,
}

/// Connects to `host`, a name or an address, within `time` in all.
///
/// # Errors
/// [`NoConnection`]. Only [`NoConnection::NotAllowed`] needs somebody to mend something.
pub async fn connect(
    host: &str,
    port: u16,
    allowed: &Networks,
    time: Duration,
) -> Result<TcpStream, NoConnection> {
    let end = Instant::now() + time;
    let found: Vec<SocketAddr> = match host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => match timeout(time, lookup_host((host, port))).await {
            Ok(Ok(found)) => found.collect(),
            Ok(Err(_)) | Err(_) => return Err(NoConnection::Unresolved),
        },
    };
    let checked = checked(&found, allowed)?;
    let mut fault = NoConnection::Unresolved;
    for (tried, address) in checked.iter().enumerate() {
        let left = u32::try_from(checked.len().saturating_sub(tried)).unwrap_or(1);
        let share = end.saturating_duration_since(Instant::now()) / left.max(1);
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Only a matter of speed.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(_)) => fault = NoConnection::Refused,
            Err(_) => fault = NoConnection::Silent,
        }
    }
    Err(fault)
}

/// Those addresses to which a connection may be made, in their order: not all of one family while there is another,
/// because there may be no way to any of it.
fn checked(found: &[SocketAddr], allowed: &Networks) -> Result<Vec<SocketAddr>, NoConnection> {
    if found.is_empty() {
        return Err(NoConnection::Unresolved);
    }
    let mut good: Vec<_> = found.iter().copied().filter(|address| allowed.allow(address.ip())).collect();
    let both = good.iter().any(SocketAddr::is_ipv4) && good.iter().any(SocketAddr::is_ipv6);
    let most = if both { MOST / 2 } else { MOST };
    let (mut four, mut six) = (0_usize, 0_usize);
    good.retain(|address| {
        let seen = if address.is_ipv4() { &mut four } else { &mut six };
        *seen = seen.saturating_add(1);
        *seen <= most
    });
    if good.is_empty() { Err(NoConnection::NotAllowed) } else { Ok(good) }
}

fn network(text: &str) -> Result<(IpAddr, u8), BadNetwork> {
    let form = || BadNetwork::Form(text.to_owned());
    let (address, bits) = text.split_once('/').ok_or_else(form)?;
    let address: IpAddr = address.parse().map_err(|_| form())?;
    if bits.is_empty() || !bits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(form());
    }
    let most = width(address);
    let bits = bits.parse().ok().filter(|bits| *bits <= most);
    let bits = bits.ok_or_else(|| BadNetwork::Prefix(text.to_owned(), most))?;
    let beyond = numeric(address) & !mask(most, bits);
    if beyond == 0 { Ok((address, bits)) } else { Err(BadNetwork::Host(text.to_owned())) }
}

/// The address of IPv4 that an address of IPv6 stands for: mapped or compatible (RFC 4291 section 2.5.5), 6to4 (RFC
/// 3056 section 2) or NAT64 (RFC 6052 section 2.1). Any other address stands for itself.
fn inner(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else { return address };
    let four = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match six.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => four(high, low),
        // `::` and `::1` are addresses of their own.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 || low > 1 => four(high, low),
        _ => address,
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => !CLOSED_4.iter().any(|(network, bits)| is_in(address, (*network).into(), *bits)),
        IpAddr::V6(_) => {
            is_in(address, GLOBAL_6.0.into(), GLOBAL_6.1)
                && !CLOSED_6.iter().any(|(network, bits)| is_in(address, (*network).into(), *bits))
        }
    }
}

fn is_in(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let most = width(address);
    most == width(network) && (numeric(address) ^ numeric(network)) & mask(most, bits) == 0
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn numeric(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(four) => u128::from(four.to_bits()),
        IpAddr::V6(six) => six.to_bits(),
    }
}

/// The first `bits` of an address that has `width` of them.
fn mask(width: u8, bits: u8) -> u128 {
    let all = u128::MAX >> (128 - u32::from(width));
    let rest = u32::from(width.saturating_sub(bits));
    all & u128::MAX.checked_shl(rest).unwrap_or(0)
}

#[cfg(test)]
mod tests;
