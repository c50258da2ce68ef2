//! The names in a certificate, for error messages. Nothing is decided by them.

/// The names of a certificate, shortened to what people know it by.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CertificateNames {
    pub(crate) subject: String,
    pub(crate) issuer: String,
}

/// The longest name in an error.
const MAX_NAME_CHARS: usize = 100;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_ID: u8 = 0x06;
/// The version, which is tagged as optional.
const VERSION: u8 = 0xa0;

/// The attributes of a name that are read: common name, organization. As DER has them: 2.5.4.3 and 2.5.4.10.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];

impl CertificateNames {
    /// Reads them from a certificate in DER (RFC 5280, section 4.1); `None`: it is none.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let (certificate, _) = expect(der, SEQUENCE)?;
        let (mut fields, _) = expect(certificate, SEQUENCE)?;
        if let Some((_, rest)) = expect(fields, VERSION) {
            fields = rest;
        }
        let (_, _, fields) = element(fields)?; // serial number
        let (_, fields) = expect(fields, SEQUENCE)?; // signature algorithm
        let (issuer, fields) = expect(fields, SEQUENCE)?;
        let (_, fields) = expect(fields, SEQUENCE)?; // validity
        let (subject, _) = expect(fields, SEQUENCE)?;
        Some(Self { subject: name(subject), issuer: name(issuer) })
    }
}

/// The common name and the organization of a name.
fn name(mut sets: &[u8]) -> String {
    let (mut common_name, mut organization) = (None, None);
    while let Some((set, rest)) = expect(sets, SET) {
        sets = rest;
        let Some((attribute, _)) = expect(set, SEQUENCE) else { continue };
        let Some((kind, rest)) = expect(attribute, OBJECT_ID) else { continue };
        let Some((_, value, _)) = element(rest) else { continue };
        let text: String = String::from_utf8_lossy(value)
            .chars()
            .filter(|char| !char.is_control())
            .take(MAX_NAME_CHARS)
            .collect();
        match kind {
            COMMON_NAME => common_name = Some(text),
            ORGANIZATION => organization = Some(text),
            _ => {}
        }
    }
    match (common_name, organization) {
        (Some(common_name), Some(organization)) => format!("{common_name}, {organization}"),
        (Some(name), None) | (None, Some(name)) => name,
        (None, None) => "without a name".to_owned(),
    }
}

/// The content of the first element, if it has this tag, and what follows it.
fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(bytes)?;
    (found == tag).then_some((content, rest))
}

/// The tag and the content of the first element, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, bytes) = bytes.split_first()?;
    let (&first, mut bytes) = bytes.split_first()?;
    let mut length = usize::from(first);
    if first & 0x80 != 0 {
        let (digits, rest) = bytes.split_at_checked(usize::from(first & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
        bytes = rest;
    }
    let (content, rest) = bytes.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::CertificateNames;

    #[test]
    fn anything_else_is_no_certificate() {
        for bytes in
            [&b""[..], b"\x30", b"\x30\x82\xff\xff", b"\x30\x03\x02\x01\x01", &[0x30; 64], &[0xff; 64]]
        {
            assert_eq!(CertificateNames::read(bytes), None, "{bytes:?}");
        }
    }
}
