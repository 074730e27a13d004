//! Spring Boot.

use super::{Fix, Framework, Need};

pub(super) static FRAMEWORK: Framework = Framework {
    name: "Spring Boot",
    origins: &["Spring Boot", "Tomcat", "Jetty"],
    headers: &["x-application-context: "],
    fixes: &[
        Fix {
            needs: &[Need::Type, Need::Json, Need::Wrapped],
            says: "name the type and return the document's text",
            code: "@PostMapping(value = \"/voice\", produces = \"text/xml\")\n@ResponseBody\nString voice() { return twiml.toXml(); }",
        },
        Fix {
            needs: &[Need::ErrorPage],
            says: "let errors of the webhooks' controllers answer with TwiML",
            code: "@ExceptionHandler(Exception.class)\nResponseEntity<String> failed(Exception e) {\n    log.error(\"webhook failed\", e);\n    return ResponseEntity.ok().contentType(MediaType.TEXT_XML)\n        .body(\"<Response><Say>We are sorry, please call again later.</Say></Response>\");\n}",
        },
        Fix {
            needs: &[Need::Forbidden, Need::Forgery],
            says: "Spring Security turns POSTs without token or login away; exempt the webhook, check Twilio's signature",
            code: "http.csrf(csrf -> csrf.ignoringRequestMatchers(\"/voice/**\"))\n    .authorizeHttpRequests(auth -> auth.requestMatchers(\"/voice/**\").permitAll());",
        },
        Fix {
            needs: &[Need::Route, Need::Verb],
            says: "take both methods at the path that is at Twilio",
            code: "@RequestMapping(value = \"/voice\", method = {RequestMethod.GET, RequestMethod.POST}, produces = \"text/xml\")",
        },
        Fix {
            needs: &[Need::Parameters],
            says: "Twilio sends a form, and not every field every time",
            code: "@RequestParam(name = \"Digits\", required = false) String digits  // not @RequestBody",
        },
        Fix {
            needs: &[Need::Redirect],
            says: "behind a TLS proxy believe its headers (application.properties)",
            code: "server.forward-headers-strategy=framework",
        },
        Fix {
            needs: &[Need::Document, Need::Page],
            says: "return a document in every branch, if only an empty one: void gives an empty answer",
            code: "return new VoiceResponse.Builder().build().toXml();  // <Response/>",
        },
        Fix {
            needs: &[Need::Escaping, Need::Output, Need::Encoding],
            says: "let the library write the document, and name the encoding",
            code: "@PostMapping(value = \"/voice\", produces = \"text/xml;charset=UTF-8\")",
        },
    ],
};
