use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn socket(text: &str) -> SocketAddr {
    SocketAddr::new(ip(text), 25)
}

#[test]
fn what_is_not_public_is_closed() {
    let none = Networks::default();
    for text in [
        "127.0.0.1",
        "127.255.255.255",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "100.127.255.255",
        "169.254.169.254",
        "169.254.170.2",
        "168.63.129.16",
        "192.0.0.1",
        "192.0.0.192",
        "192.0.2.1",
        "198.51.100.7",
        "203.0.113.9",
        "198.18.0.1",
        "198.19.255.255",
        "192.88.99.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",
        "fd12:3456::1",
        "ff02::1",
        "2001:db8::1",
        "3fff::1",
        "100::1",
        "2001::1",
        "2001:0:a9fe:a9fe::1",
        "2001:2::1",
        "64:ff9b:1::1",
        "5f00::1",
        "4000::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "::10.0.0.1",
        "2002:7f00:1::1",
        "2002:a9fe:a9fe::",
        "2002:c0a8:1::",
        "64:ff9b::10.0.0.1",
        "64:ff9b::169.254.169.254",
    ] {
        assert!(!none.allow(ip(text)), "{text}");
    }
}

#[test]
fn what_is_public_is_open() {
    let none = Networks::default();
    for text in [
        "8.8.8.8",
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700::1111",
        "2a00:1450::1",
        "2001:200::1",
        "2001:4860::8888",
        "2001:db9::",
        "3ffe::1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
    ] {
        assert!(none.allow(ip(text)), "{text}");
    }
}

#[test]
fn a_deployment_allows_networks() {
    let networks = Networks::parse(" 127.0.0.0/8, ::1/128 ,10.1.0.0/16").unwrap();
    for text in ["127.0.0.1", "127.9.9.9", "::1", "10.1.255.255", "::ffff:127.0.0.1", "8.8.8.8"] {
        assert!(networks.allow(ip(text)), "{text}");
    }
    for text in ["10.2.0.0", "::2", "169.254.169.254", "::ffff:10.0.0.1", "fe80::1"] {
        assert!(!networks.allow(ip(text)), "{text}");
    }
    assert_eq!(Networks::parse("").unwrap(), Networks::default());
    assert!(Networks::parse("0.0.0.0/0").unwrap().allow(ip("169.254.169.254")));
    assert!(!Networks::parse("0.0.0.0/0").unwrap().allow(ip("fe80::1")));
}

#[test]
fn a_wrong_network_is_named() {
    let told = |text: &str| Networks::parse(text).unwrap_err().to_string();
    for text in ["127.0.0.1", "localhost/8", "127.0.0.0/", "127.0.0.0/+8", "127.0.0.0/x", "10.0.0.0/8,,"] {
        assert!(told(text).contains("is no network"), "{text}: {}", told(text));
    }
    assert!(told("127.0.0.0/33").contains("more than 32 bits"));
    assert!(told("::/129").contains("more than 128 bits"));
    assert!(told("::/999").contains("more than 128 bits"));
    assert!(told("10.0.0.0/8,127.0.0.1/8").contains("\"127.0.0.1/8\" is an address"));
}

#[test]
fn only_checked_addresses_are_left_and_in_their_order() {
    let found = ["10.0.0.1", "8.8.8.8", "::1", "2606:4700::1111", "1.1.1.1"].map(socket);
    let none = Networks::default();
    let left = ["8.8.8.8", "2606:4700::1111", "1.1.1.1"].map(socket);
    assert_eq!(checked(&found, &none).unwrap(), left);
    assert_eq!(checked(&[socket("10.0.0.1")], &none), Err(NoConnection::NotAllowed));
    assert_eq!(checked(&[], &none), Err(NoConnection::Unresolved));
    let many: Vec<_> = (1..=9).map(|last| socket(&format!("8.8.8.{last}"))).collect();
    assert_eq!(checked(&many, &none).unwrap(), many[..MOST]);
}

#[test]
fn both_families_are_tried() {
    let none = Networks::default();
    let six: Vec<_> = (1..=4).map(|last| socket(&format!("2606:4700::{last}"))).collect();
    let four: Vec<_> = (1..=4).map(|last| socket(&format!("8.8.8.{last}"))).collect();
    let both = [six.clone(), four.clone()].concat();
    assert_eq!(checked(&both, &none).unwrap(), [&six[..2], &four[..2]].concat());
    let both = [four.clone(), six.clone()].concat();
    assert_eq!(checked(&both, &none).unwrap(), [&four[..2], &six[..2]].concat());
    assert_eq!(checked(&[six[0], four[0], six[1]], &none).unwrap(), [six[0], four[0], six[1]]);
    assert_eq!(checked(&six, &none).unwrap(), six);
    // An address that is not allowed takes no place of another.
    let closed = [four.clone(), vec![socket("::1")]].concat();
    assert_eq!(checked(&closed, &none).unwrap(), four);
}

#[tokio::test]
async fn an_address_that_is_not_allowed_sees_no_connection() {
    let server = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = server.local_addr().unwrap().port();
    let time = Duration::from_secs(5);
    for host in ["127.0.0.1", "localhost", "::ffff:127.0.0.1"] {
        let refused = connect(host, port, &Networks::default(), time).await.unwrap_err();
        assert_eq!(refused, NoConnection::NotAllowed, "{host}");
        assert!(refused.to_string().contains("allowedNetworks"));
    }
    let none_came = timeout(Duration::from_millis(50), server.accept()).await;
    assert!(none_came.is_err(), "nothing connected");

    let local = Networks::parse("127.0.0.0/8,::1/128").unwrap();
    for host in ["127.0.0.1", "localhost"] {
        assert_eq!(connect(host, port, &local, time).await.unwrap().peer_addr().unwrap().port(), port);
    }
}

#[tokio::test]
async fn there_is_a_reason_for_no_connection() {
    let local = Networks::parse("127.0.0.0/8").unwrap();
    let server = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = server.local_addr().unwrap().port();
    drop(server);
    let time = Duration::from_secs(5);
    assert_eq!(connect("127.0.0.1", port, &local, time).await.unwrap_err(), NoConnection::Refused);
    // RFC 6761 section 6.4: no resolver has an address for it.
    let unknown = connect("nobody.invalid", port, &local, time).await.unwrap_err();
    assert_eq!(unknown, NoConnection::Unresolved);
}

fn any_address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
        // Most of the space is closed, so the open part is asked for.
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits((bits >> 3) | (1 << 125)))),
    ]
}

proptest! {
    #[test]
    fn all_of_a_closed_network_is_closed(index in 0..CLOSED_4.len(), bits in any::<u32>()) {
        let (network, length) = CLOSED_4[index];
        let rest = u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
        let four = Ipv4Addr::from_bits(network.to_bits() | (bits & rest));
        let [a, b, c, d] = four.octets();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let forms = [
            IpAddr::V4(four),
            IpAddr::V6(four.to_ipv6_mapped()),
            IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low)),
            IpAddr::V6(Ipv6Addr::new(0x2002, high, low, 1, 2, 3, 4, 5)),
            IpAddr::V6(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low)),
            IpAddr::V6(Ipv6Addr::new(0x2001, 0, high, low, 0, 0, !high, !low)),
        ];
        for form in forms {
            prop_assert!(!Networks::default().allow(form), "{}", form);
        }
    }

    #[test]
    fn what_the_standard_library_knows_to_be_special_is_closed(address in any_address()) {
        let special = match address {
            IpAddr::V4(four) => {
                four.is_private() || four.is_loopback() || four.is_link_local() || four.is_unspecified()
                    || four.is_multicast() || four.is_broadcast() || four.is_documentation()
            }
            IpAddr::V6(six) => {
                six.is_loopback() || six.is_unspecified() || six.is_multicast() || six.is_unique_local()
                    || six.is_unicast_link_local()
            }
        };
        prop_assert!(!(special && Networks::default().allow(address)));
    }

    #[test]
    fn a_network_has_its_own_addresses_and_no_others(address in any_address(), bits in 0_u8..=128, other in any_address()) {
        let bits = bits.min(width(address));
        prop_assert!(is_in(address, address, bits));
        let alike = width(address) == width(other)
            && (0..bits).all(|bit| {
                let at = u32::from(width(address) - 1 - bit);
                (numeric(address) >> at) & 1 == (numeric(other) >> at) & 1
            });
        prop_assert_eq!(is_in(other, address, bits), alike);
    }

    #[test]
    fn a_list_reads_back_what_it_says(address in any_address(), bits in 0_u8..=128) {
        let bits = bits.min(width(address));
        let network = numeric(address) & mask(width(address), bits);
        let network: IpAddr = match address {
            IpAddr::V4(_) => Ipv4Addr::from_bits(u32::try_from(network).unwrap()).into(),
            IpAddr::V6(_) => Ipv6Addr::from_bits(network).into(),
        };
        let read = Networks::parse(&format!("{network}/{bits}")).unwrap();
        prop_assert_eq!(&read.0, &vec![(network, bits)]);
        prop_assert!(read.allow(address));
    }

    #[test]
    fn no_text_panics(text in "[0-9a-f:./, x]{0,40}") {
        let _ = Networks::parse(&text);
    }
}
