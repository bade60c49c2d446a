//! Which country a telephone number belongs to, as far as its first digits tell.
//!
//! The calling code tells it in most cases (ITU-T E.164 section 6.2.1, and the ITU's list of assigned codes). Where
//! countries share a calling code, the area codes and ranges that each has for itself tell them apart. A kind of number
//! for which a small country has no range of its own, as Svalbard has none for mobile telephones, is counted as that of the
//! larger one whose networks assign it. Whether a number is assigned at all is not looked at.

use crate::contact::PhoneNumber;
use crate::gateway::Country;

/// Zone 1, the North American numbering plan: the area codes of all but the United States.
const NORTH_AMERICA: &str = "US 1; AG 1268; AI 1264; AS 1684; BB 1246; BM 1441; BS 1242; DM 1767; DO 1809 1829 1849; \
GD 1473; GU 1671; JM 1658 1876; KN 1869; KY 1345; LC 1758; MP 1670; MS 1664; PR 1787 1939; SX 1721; TC 1649; TT 1868; \
VC 1784; VG 1284; VI 1340; CA 1204 1226 1236 1249 1250 1257 1263 1273 1289 1306 1343 1354 1365 1367 1368 1382 1403 1416 \
1418 1428 1431 1437 1438 1450 1468 1474 1506 1514 1519 1548 1579 1581 1584 1587 1600 1604 1613 1622 1633 1639 1644 1647 \
1655 1672 1677 1683 1688 1705 1709 1742 1753 1778 1780 1782 1807 1819 1825 1867 1873 1879 1902 1905 1942";

/// Area codes of zone 1 that are no country's: for services, for one person anywhere, and those that are never given out.
const NOWHERE_IN_NORTH_AMERICA: &str = "10 11 1211 1311 1411 1511 1611 1711 1811 1911 129 137 139 149 159 169 179 189 \
196 199 1500 1521 1522 1523 1524 1525 1526 1527 1528 1529 1532 1533 1544 1566 1577 1588 1700 1800 1822 1833 1844 1855 \
1866 1877 188 1900";

/// Zone 2.
const AFRICA: &str = "EG 20; SS 211; MA 212; EH 2125288 2125289; DZ 213; TN 216; LY 218; GM 220; SN 221; MR 222; ML 223; \
GN 224; CI 225; BF 226; NE 227; TG 228; BJ 229; MU 230; LR 231; SL 232; GH 233; NG 234; TD 235; CF 236; CM 237; CV 238; \
ST 239; GQ 240; GA 241; CG 242; CD 243; AO 244; GW 245; IO 246; SH 247; SC 248; SD 249; RW 250; ET 251; SO 252; DJ 253; \
KE 254; TZ 255; UG 256; BI 257; MZ 258; ZM 260; MG 261; RE YT 262; RE 262262 262263 2622688 262692 262693 2627092; \
YT 2622689 262269 262639 2627093; ZW 263; NA 264; MW 265; LS 266; BW 267; SZ 268; KM 269; ZA 27; SH 290; ER 291; AW 297; \
FO 298; GL 299";

/// Zones 3 and 4.
const EUROPE: &str = "GR 30; NL 31; BE 32; FR 33; ES 34; GI 350; PT 351; LU 352; IE 353; IS 354; AL 355; MT 356; CY 357; \
FI 358; AX 35818; BG 359; HU 36; LT 370; LV 371; EE 372; MD 373; AM 374; BY 375; AD 376; MC 377; SM 378 390549; \
VA 379 3906698; UA 380; RS 381; ME 382; HR 385; SI 386; BA 387; MK 389; IT 39; RO 40; CH 41; CZ 420; SK 421; LI 423; \
AT 43; GB 44; GG 441481 447781 447839 4479111 4479117; IM 441624 4474576 447524 447624 447924; JE 441534 447509 4477003 \
4477007 4477008 447797 447829 447937; DK 45; SE 46; NO 47; SJ 4779; PL 48; DE 49";

/// Zone 5.
const LATIN_AMERICA: &str = "FK 500; BZ 501; GT 502; SV 503; HN 504; NI 505; CR 506; PA 507; PM 508; HT 509; PE 51; \
MX 52; CU 53; AR 54; BR 55; CL 56; CO 57; VE 58; BL GP MF 590; BO 591; GY 592; EC 593; GF 594; PY 595; MQ 596; SR 597; \
UY 598; BQ 5993 5994 5997; CW 5996 5999";

/// Zone 6.
const PACIFIC: &str = "MY 60; AU 61; CC 6189162; CX 6189164; ID 62; PH 63; NZ 64; SG 65; TH 66; TL 670; NF 672; \
AQ NF 67210 67211 67212 67213; BN 673; NR 674; PG 675; TO 676; SB 677; VU 678; FJ 679; PW 680; WF 681; CK 682; NU 683; WS 685; KI 686; \
NC 687; TV 688; PF 689; TK 690; FM 691; MH 692";

/// Zones 7 to 9. Kosovo's 383 is no code of ISO 3166-1's, satellites and services of the whole world are no country's.
const ASIA: &str = "RU 73 74 78 79; KZ 76 77; KZ RU 7800 7808 7809 78108; JP 81; KR 82; VN 84; KP 850; HK 852; MO 853; \
KH 855; LA 856; CN 86; BD 880; TW 886; TR 90; IN 91; PK 92; AF 93; LK 94; MM 95; MV 960; LB 961; JO 962; SY 963; IQ 964; \
KW 965; SA 966; YE 967; OM 968; PS 970; AE 971; IL 972; BH 973; QA 974; BT 975; MN 976; NP 977; IR 98; TJ 992; TM 993; \
AZ 994; GE 995; KG 996; UZ 998";

/// All of them: countries by their codes, then what their numbers begin with. Several countries share such numbers.
const PLANS: [&str; 7] =
    [NORTH_AMERICA, NOWHERE_IN_NORTH_AMERICA, AFRICA, EUROPE, LATIN_AMERICA, PACIFIC, ASIA];

/// The countries of which a number may be, in the order of their codes: one in most cases, several that share such
/// numbers, such as Guadeloupe, Saint Martin and Saint Barthélemy, and none where numbers are no country's.
#[must_use]
pub fn countries_of(number: &PhoneNumber) -> Vec<Country> {
    let digits = number.expose().trim_start_matches('+');
    let longest = beginnings().filter(|(beginning, _)| digits.starts_with(beginning));
    let longest = longest.max_by_key(|(beginning, _)| beginning.len());
    longest.map_or_else(Vec::new, |(_, entry)| {
        entry.split(' ').filter_map(|word| Country::try_from(word).ok()).collect()
    })
}

/// How many digits a number's calling code has (ITU-T E.164 section 6.2.1): one in zones 1 and 7, two or three
/// elsewhere.
#[must_use]
pub fn calling_code(number: &PhoneNumber) -> usize {
    let digits = number.expose().trim_start_matches('+');
    if digits.starts_with(['1', '7']) {
        return 1;
    }
    let two = digits.get(..2).unwrap_or(digits);
    if beginnings().any(|(beginning, _)| beginning == two) { 2 } else { 3 }
}

/// What numbers begin with, and the entry that says so.
fn beginnings() -> impl Iterator<Item = (&'static str, &'static str)> {
    let entries = PLANS.into_iter().flat_map(|plan| plan.split("; "));
    entries.flat_map(|entry| entry.split(' ').filter(|word| is_number(word)).map(move |word| (word, entry)))
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(number: &str) -> String {
        let countries = countries_of(&PhoneNumber::try_from(number).unwrap());
        countries.into_iter().map(Country::as_str).collect::<Vec<_>>().join(" ")
    }

    /// Nothing is there twice, and every word is a country or digits.
    #[test]
    fn the_plans_are_well_formed() {
        let mut all: Vec<_> = beginnings().map(|(beginning, _)| beginning).collect();
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count);
        for entry in PLANS.into_iter().flat_map(|plan| plan.split("; ")) {
            let (numbers, countries): (Vec<_>, Vec<_>) = entry.split(' ').partition(|word| is_number(word));
            assert!(!numbers.is_empty() && countries.is_sorted(), "{entry}");
            assert!(countries.iter().all(|code| Country::try_from(*code).is_ok()), "{entry}");
        }
    }

    /// All countries have numbers but those where nobody lives, or which share their neighbour's.
    #[test]
    fn nearly_every_country_has_numbers() {
        let mut found: Vec<_> =
            PLANS.iter().flat_map(|plan| plan.split([';', ' '])).filter(|word| !is_number(word)).collect();
        found.sort_unstable();
        found.dedup();
        let missing: Vec<_> = (b'A'..=b'Z')
            .flat_map(|first| {
                (b'A'..=b'Z').map(move |second| String::from_utf8(vec![first, second]).unwrap())
            })
            .filter(|code| Country::try_from(code.as_str()).is_ok() && !found.contains(&code.as_str()))
            .collect();
        assert_eq!(missing, ["BV", "GS", "HM", "PN", "TF", "UM"]);
    }

    #[test]
    fn countries_that_share_a_calling_code_are_told_apart() {
        let table = [
            // +1: area codes.
            ("US", "+12125551234 +14155552671 +19075551234"),
            ("CA", "+14165551234 +18675551234 +16225551234"),
            ("DO", "+18095551234 +18295551234 +18495551234"),
            ("JM", "+18765551234 +16585551234"),
            ("PR", "+17875551234 +19395551234"),
            ("AG", "+12684641234"),
            ("BM", "+14413701234"),
            ("BS", "+12423591234"),
            ("GU", "+16713001234"),
            ("SX", "+17215205678"),
            ("TT", "+18682911234"),
            ("VI", "+13406421234"),
            ("", "+15005550006 +18005551234 +19005551234 +15225551234 +12115551234 +10005551234"),
            // +7: RU and KZ.
            ("RU", "+79123456789 +74951234567 +73412123456"),
            ("KZ", "+77710009998 +77172123456 +76001234567"),
            ("KZ RU", "+78001234567"),
            ("", "+75001234567"),
            // +39: IT, the Vatican, and San Marino by way of Italy.
            ("IT", "+393123456789 +390612345678 +390669912345"),
            ("VA", "+390669812345 +379669812345"),
            ("SM", "+390549886377 +37866661212"),
            // +44: the islands in the middle of what is the United Kingdom's.
            ("GB", "+447700900123 +447400123456 +442079460000 +447911012345 +448081570000"),
            ("GG", "+447781123456 +447839123456 +447911123456 +447911723456 +441481256789"),
            ("IM", "+447624123456 +447924123456 +447457612345 +441624756789"),
            ("JE", "+447797712345 +447700312345 +447829712345 +447937712345 +441534456789"),
            // +47, +61, +212, +358: ranges of landlines.
            ("NO", "+4740612345 +4721234567"),
            ("SJ", "+4779021234"),
            ("AU", "+61412345678 +61891631234 +61212345678"),
            ("CC", "+61891621234"),
            ("CX", "+61891641234"),
            ("MA", "+212650123456 +212520123456"),
            ("EH", "+212528812345 +212528912345"),
            ("FI", "+358412345678 +358131234567"),
            ("AX", "+3581812345"),
            // French ones.
            ("RE", "+262692123456 +262262161234 +262709201234"),
            ("YT", "+262639012345 +262269601234 +262709351234"),
            ("RE YT", "+262801234567"),
            ("BL GP MF", "+590690001234 +590590201234"),
            ("GF", "+594694201234"),
            // Dutch ones.
            ("BQ", "+5993181234 +5994161234 +5997801234"),
            ("CW", "+59995181234 +5996001234"),
            ("", "+5995201234"),
            ("AW", "+2975601234"),
            // In the oceans.
            ("SH", "+29051234 +2908999 +24740123"),
            ("IO", "+2463801234"),
            ("NF", "+672381234 +672141234"),
            ("AQ NF", "+672106123"),
            ("FK", "+50051234"),
        ];
        for (countries, numbers) in table {
            for number in numbers.split(' ') {
                assert_eq!(codes(number), countries, "{number}");
            }
        }
    }

    #[test]
    fn what_belongs_to_nobody_is_told_so() {
        for number in [
            "+38343201234",
            "+80012345678",
            "+80812345678",
            "+870773111632",
            "+878101234567",
            "+881612345678",
            "+8821651234567",
            "+883510012345",
            "+88812345678",
            "+979123456789",
            "+99112345678",
            "+2101234567",
            "+9991234567",
        ] {
            assert_eq!(codes(number), "", "{number}");
        }
    }
}
