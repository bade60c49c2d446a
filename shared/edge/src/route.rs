//! Routes: what can be called, and by whom. Each function declares its own as one table, which dispatches, authorizes,
//! and describes the API; together they are the role x route matrix.

use std::collections::BTreeMap;

use otpost_domain::apikey::Role;
use percent_encoding::percent_decode_str;

/// A route of the API.
#[derive(Debug, PartialEq, Eq)]
pub struct Route {
    /// HTTP method.
    pub method: &'static str,
    /// Path with parameters in braces.
    pub path: &'static str,
    /// Its name in the API's description, and in code.
    pub operation: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// Who may call it.
    pub access: Access,
}

/// Who may call a route.
#[derive(Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody; the link in the path is the proof.
    Public,
    /// Keys of these roles.
    Roles(&'static [Role]),
}

/// Finds the route and its path's parameters, decoded.
pub(crate) fn find(
    routes: &'static [Route],
    method: &str,
    path: &str,
) -> Option<(&'static Route, BTreeMap<&'static str, String>)> {
    let mut of_method = routes.iter().filter(|route| route.method == method);
    of_method.find_map(|route| Some((route, matches(route.path, path)?)))
}

fn matches(pattern: &'static str, path: &str) -> Option<BTreeMap<&'static str, String>> {
    let mut parameters = BTreeMap::new();
    let mut given = path.split('/');
    for part in pattern.split('/') {
        let given = given.next()?;
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => {
                // API Gateway may have decoded it already; no id of ours holds a percent sign.
                let value = percent_decode_str(given).decode_utf8().ok()?;
                parameters.insert(name, value.into_owned());
            }
            None if part == given => {}
            None => return None,
        }
    }
    given.next().is_none().then_some(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    static ROUTES: [Route; 2] = [
        Route {
            method: "GET",
            path: "/v1/users/{user}",
            operation: "getUser",
            summary: "",
            access: Access::Roles(&[Role::Operator]),
        },
        Route {
            method: "POST",
            path: "/v1/users/{user}/tokens",
            operation: "provision",
            summary: "",
            access: Access::Public,
        },
    ];

    #[test]
    fn routes_are_found_by_method_and_path() {
        let (route, parameters) = find(&ROUTES, "GET", "/v1/users/jane%40example.org").unwrap();
        assert_eq!((route.operation, parameters["user"].as_str()), ("getUser", "jane@example.org"));
        let (route, parameters) = find(&ROUTES, "POST", "/v1/users/jane+x@example.org/tokens").unwrap();
        assert_eq!((route.operation, parameters["user"].as_str()), ("provision", "jane+x@example.org"));
        for (method, path) in
            [("PUT", "/v1/users/jane"), ("GET", "/v1/users"), ("GET", "/v1/users/jane/tokens")]
        {
            assert!(find(&ROUTES, method, path).is_none(), "{method} {path}");
        }
        assert!(find(&ROUTES, "GET", "/v1/users/%ff").is_none());
    }
}
