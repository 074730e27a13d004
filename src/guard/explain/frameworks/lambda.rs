//! AWS Lambda behind API Gateway.

use super::{Fix, Framework, Need};

pub(super) static FRAMEWORK: Framework = Framework {
    name: "AWS Lambda",
    origins: &["AWS API Gateway"],
    headers: &["x-amz-apigw-id: ", "apigw-requestid: ", "x-amzn-trace-id: ", "x-amzn-requestid: "],
    fixes: &[
        Fix {
            needs: &[Need::ErrorPage, Need::Down],
            says: "`Internal server error` means that the function threw, ran out of time, or returned another shape than a proxy result",
            code: "def handler(event, context):\n    try:\n        body = answer(event)\n    except Exception:\n        logging.exception(\"webhook failed\")\n        body = \"<Response><Say>We are sorry, please call again later.</Say></Response>\"\n    return {\"statusCode\": 200, \"headers\": {\"Content-Type\": \"text/xml\"}, \"body\": body, \"isBase64Encoded\": False}",
        },
        Fix {
            needs: &[Need::Type, Need::Json, Need::Wrapped, Need::Document],
            says: "return a proxy result: headers with the type, the document as text; and choose the proxy integration",
            code: "return {\n    \"statusCode\": 200,\n    \"headers\": {\"Content-Type\": \"text/xml\"},\n    \"body\": str(resp),\n    \"isBase64Encoded\": False,\n}",
        },
        Fix {
            needs: &[Need::Forbidden, Need::Route, Need::Verb],
            says: "`Missing Authentication Token` or `Not Found` is a path, stage or method that is not deployed; Twilio sends no API key",
            code: "ANY /voice  ->  the function, authorization NONE, then deploy the stage\nhttps://ID.execute-api.REGION.amazonaws.com/STAGE/voice",
        },
        Fix {
            needs: &[Need::Parameters],
            says: "the form is in the body, perhaps in base64",
            code: "body = event.get(\"body\") or \"\"\nif event.get(\"isBase64Encoded\"):\n    body = base64.b64decode(body).decode()\nparams = dict(urllib.parse.parse_qsl(body))",
        },
        Fix {
            needs: &[Need::Escaping, Need::Output, Need::Encoding],
            says: "let the library write the document",
            code: "resp = VoiceResponse()\nresp.redirect(\"/menu?a=1&b=2\")  # escapes what it is given",
        },
        Fix {
            needs: &[Need::Compression],
            says: "say isBase64Encoded only of a body that is",
            code: "\"isBase64Encoded\": False",
        },
    ],
};
