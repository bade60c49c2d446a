//! The API's description (OpenAPI 3.1), built from the routes and the wire types themselves.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::problem::{ProblemDocument, ProblemType};
use crate::route::{Access, Route};

/// A description in the making.
#[derive(Debug)]
pub struct Document {
    generator: SchemaGenerator,
    paths: Map<String, Value>,
    described: Vec<&'static str>,
}

/// One operation of it.
#[derive(Debug)]
pub struct Operation<'d> {
    document: &'d mut Document,
    route: &'static Route,
    value: Map<String, Value>,
    problems: Vec<ProblemType>,
}

impl Default for Document {
    fn default() -> Self {
        let generator = SchemaSettings::draft2020_12()
            .with(|settings| settings.definitions_path = "/components/schemas".into())
            .into_generator();
        Self { generator, paths: Map::new(), described: Vec::new() }
    }
}

impl Document {
    /// Describes a route.
    fn operation(&mut self, route: &'static Route) -> Operation<'_> {
        let mut value = Map::new();
        value.insert("operationId".to_owned(), json!(route.operation));
        value.insert("summary".to_owned(), json!(route.summary));
        let parameters: Vec<Value> = route
            .path
            .split('/')
            .filter_map(|part| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')))
            .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
            .collect();
        value.insert("parameters".to_owned(), json!(parameters));
        match route.access {
            Access::Public => {
                value.insert("security".to_owned(), json!([]));
            }
            Access::Roles(roles) => {
                let roles: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
                value.insert("security".to_owned(), json!([{ "apiKey": [] }]));
                value.insert("x-otpost-roles".to_owned(), json!(roles));
            }
        }
        value.insert("responses".to_owned(), json!({}));
        Operation { document: self, route, value, problems: Vec::new() }
    }

    /// Describes the route of this operation.
    ///
    /// # Panics
    /// When there is none: whoever describes the API finds it at once.
    #[expect(
        clippy::panic,
        reason = "a slip in a table of constants, found by the test that makes the description"
    )]
    pub fn named(&mut self, routes: &'static [Route], operation: &str) -> Operation<'_> {
        match routes.iter().find(|route| route.operation == operation) {
            Some(route) => self.operation(route),
            None => panic!("there is no route {operation}"),
        }
    }

    /// The operations described so far.
    #[must_use]
    pub fn described(&self) -> &[&'static str] {
        &self.described
    }

    /// The whole document.
    #[must_use]
    pub fn finish(mut self) -> Value {
        let problem = self.generator.subschema_for::<ProblemDocument>();
        let schemas = self.generator.take_definitions(true);
        json!({
            "openapi": "3.1.0",
            "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
            "info": {
                "title": "Otpost",
                "version": "1",
                "description": "One-time-password tokens: provision, push, enrol, verify. Errors are problem documents \
                                (RFC 9457); docs/problems has a page for each type.",
                "license": { "name": "MIT OR Apache-2.0" },
            },
            "servers": [{ "url": "/" }],
            "security": [{ "apiKey": [] }],
            "paths": self.paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": { "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "otp_<key id>_<secret>_<checksum>",
                    "description": "An API key. x-otpost-roles names the roles that may call an operation.",
                } },
                "responses": { "Problem": {
                    "description": "A problem document",
                    "content": { "application/problem+json": { "schema": problem } },
                } },
            },
        })
    }
}

impl Operation<'_> {
    /// Takes a JSON body.
    #[must_use]
    pub fn takes<T: JsonSchema>(mut self) -> Self {
        let schema = self.document.generator.subschema_for::<T>();
        let body = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
        self.value.insert("requestBody".to_owned(), body);
        self
    }

    /// Takes a JSON body, or none.
    #[must_use]
    pub fn may_take<T: JsonSchema>(mut self) -> Self {
        let schema = self.document.generator.subschema_for::<T>();
        let body = json!({ "required": false, "content": { "application/json": { "schema": schema } } });
        self.value.insert("requestBody".to_owned(), body);
        self
    }

    /// Takes a body of any of these media types.
    #[must_use]
    pub fn takes_as<T: JsonSchema>(mut self, media: &[&str]) -> Self {
        let schema = self.document.generator.subschema_for::<T>();
        let content: Map<String, Value> =
            media.iter().map(|media| ((*media).to_owned(), json!({ "schema": schema }))).collect();
        self.value.insert("requestBody".to_owned(), json!({ "required": true, "content": content }));
        self
    }

    /// Takes a form.
    #[must_use]
    pub fn takes_form(mut self, fields: &[(&str, &str)]) -> Self {
        let properties: Map<String, Value> = fields
            .iter()
            .map(|(name, what)| ((*name).to_owned(), json!({ "type": "string", "description": what })))
            .collect();
        let schema = json!({ "type": "object", "properties": properties });
        let body = json!({ "content": { "application/x-www-form-urlencoded": { "schema": schema } } });
        self.value.insert("requestBody".to_owned(), body);
        self
    }

    /// Takes a parameter in the query.
    #[must_use]
    pub fn query(mut self, name: &str, required: bool, what: &str) -> Self {
        if let Some(Value::Array(parameters)) = self.value.get_mut("parameters") {
            parameters.push(json!({
                "name": name, "in": "query", "required": required, "description": what, "schema": { "type": "string" },
            }));
        }
        self
    }

    /// Takes a header.
    #[must_use]
    pub fn header(mut self, name: &str, required: bool, what: &str) -> Self {
        if let Some(Value::Array(parameters)) = self.value.get_mut("parameters") {
            parameters.push(json!({
                "name": name, "in": "header", "required": required, "description": what, "schema": { "type": "string" },
            }));
        }
        self
    }

    /// May be made again with the same `Idempotency-Key`.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.problems.extend([
            ProblemType::InvalidRequest,
            ProblemType::RequestRunning,
            ProblemType::IdempotencyKeyReused,
        ]);
        self.header(
            "Idempotency-Key",
            false,
            "1 to 128 visible ASCII characters. For 24 hours the same request with the same key gets the same answer.",
        )
    }

    /// Changes something versioned.
    #[must_use]
    pub fn conditional(mut self) -> Self {
        self.problems.extend([ProblemType::InvalidRequest, ProblemType::PreconditionFailed]);
        self.header(
            "If-Match",
            false,
            "The ETag of what was read; the change is refused if it has changed since.",
        )
    }

    /// Is signed by a device (RFC 9421).
    #[must_use]
    pub fn signed(mut self) -> Self {
        self.problems.push(ProblemType::InvalidSignature);
        self.header("Content-Digest", true, "sha-256 of the body (RFC 9530).")
            .header(
                "Signature-Input",
                true,
                "Components \"@method\" \"@path\" \"content-digest\"; parameters created, nonce, keyid (RFC 9421).",
            )
            .header("Signature", true, "The Ed25519 signature.")
    }

    /// Is a list that comes in pages.
    #[must_use]
    pub fn paged(self) -> Self {
        self.query("limit", false, "Items on a page, 1 to 100; 25 unless given.").query(
            "cursor",
            false,
            "The next of the page before.",
        )
    }

    /// Answers with JSON.
    #[must_use]
    pub fn answers<T: JsonSchema>(mut self, status: u16, what: &str) -> Self {
        let schema = self.document.generator.subschema_for::<T>();
        let content = json!({ "application/json": { "schema": schema } });
        self.respond(status, json!({ "description": what, "content": content }));
        self
    }

    /// Answers with a body of another media type than JSON.
    #[must_use]
    pub fn answers_as<T: JsonSchema>(mut self, status: u16, media: &str, what: &str) -> Self {
        let schema = self.document.generator.subschema_for::<T>();
        self.respond(status, json!({ "description": what, "content": { media: { "schema": schema } } }));
        self
    }

    /// Answers with a page.
    #[must_use]
    pub fn answers_html(mut self, status: u16, what: &str) -> Self {
        let content = json!({ "text/html": { "schema": { "type": "string" } } });
        self.respond(status, json!({ "description": what, "content": content }));
        self
    }

    /// Answers without a body.
    #[must_use]
    pub fn answers_nothing(mut self, status: u16, what: &str) -> Self {
        self.respond(status, json!({ "description": what }));
        self
    }

    /// Ends it with the problems that it may answer, besides those that every operation may.
    pub fn fails(mut self, problems: &[ProblemType]) {
        let mut all = vec![ProblemType::Internal, ProblemType::Unavailable];
        if let Access::Roles(_) = self.route.access {
            all.extend([ProblemType::Unauthorized, ProblemType::Forbidden]);
        }
        if self.value.contains_key("requestBody") {
            all.extend([
                ProblemType::InvalidRequest,
                ProblemType::TooLarge,
                ProblemType::UnsupportedMediaType,
            ]);
        }
        all.extend(problems);
        all.append(&mut self.problems);
        all.sort_by_key(|problem| problem.status());
        for problem in all {
            self.respond(problem.status(), json!({ "$ref": "#/components/responses/Problem" }));
        }
        let Self { document, route, value, .. } = self;
        let path = document.paths.entry(route.path).or_insert_with(|| json!({}));
        if let Value::Object(path) = path {
            path.insert(route.method.to_ascii_lowercase(), Value::Object(value));
        }
        document.described.push(route.operation);
    }

    fn respond(&mut self, status: u16, response: Value) {
        if let Some(Value::Object(responses)) = self.value.get_mut("responses") {
            responses.entry(status.to_string()).or_insert(response);
        }
    }
}
