//! Countries by their codes.

use std::fmt;

use crate::document::{Faults, Member, Place, Value, parsed};

/// The officially assigned alpha-2 codes of ISO 3166-1, in order.
const ASSIGNED: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR \
BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI \
FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS \
IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO \
MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA \
RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT \
TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// A country: an officially assigned alpha-2 code of ISO 3166-1, in capitals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country(&'static str);

/// What was given is no country's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be the code of a country in capitals (ISO 3166-1 alpha-2), such as FR, or GB for the United Kingdom"
)]
pub struct InvalidCountry;

impl Country {
    /// The code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl TryFrom<&str> for Country {
    type Error = InvalidCountry;

    fn try_from(text: &str) -> Result<Self, InvalidCountry> {
        ASSIGNED.split(' ').find(|code| *code == text).map(Self).ok_or(InvalidCountry)
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Country({})", self.0)
    }
}

impl Member for Country {
    fn read(value: &Value, at: &Place, faults: &mut Faults) -> Option<Self> {
        parsed(value, at, faults)
    }

    fn write(&self) -> Value {
        Value::text(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_assigned_codes_are_countries_and_nothing_else_is() {
        let codes: Vec<_> = ASSIGNED.split(' ').collect();
        assert_eq!(codes.len(), 249);
        assert!(codes.is_sorted());
        assert!(codes.iter().all(|code| code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase())));
        assert_eq!(Country::try_from("GB").unwrap().as_str(), "GB");
        for bad in ["", " ", "UK", "EU", "XK", "AN", "gb", "GBR", "G", "GB US", "ÄÖ"] {
            assert!(Country::try_from(bad).is_err(), "{bad}");
        }
    }
}
