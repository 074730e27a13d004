//! ASP.NET, Core or not, and IIS in front of it.

use super::{Fix, Framework, Need};

pub(super) static FRAMEWORK: Framework = Framework {
    name: "ASP.NET",
    origins: &["ASP.NET", "IIS"],
    headers: &[
        "x-aspnet-version: ",
        "x-aspnetmvc-version: ",
        "x-powered-by: asp.net",
        "server: kestrel",
        "server: microsoft-iis",
    ],
    fixes: &[
        Fix {
            needs: &[Need::Type, Need::Json, Need::Wrapped],
            says: "return TwiML as such: a string becomes text/plain, JSON or an XML <string>",
            code: "public class VoiceController : TwilioController {\n    public TwiMLResult Index() => TwiML(new VoiceResponse().Say(\"Hello.\"));\n}\n// without the helper: return Content(response.ToString(), \"text/xml\", Encoding.UTF8);",
        },
        Fix {
            needs: &[Need::ErrorPage],
            says: "let errors answer with TwiML; the yellow page goes away with customErrors",
            code: "app.UseExceptionHandler(branch => branch.Run(async context => {\n    context.Response.StatusCode = 200;\n    context.Response.ContentType = \"text/xml\";\n    await context.Response.WriteAsync(new VoiceResponse().Say(\"We are sorry, please call again later.\").ToString());\n}));\n// .NET Framework: protected override void OnException(ExceptionContext context) in the controller",
        },
        Fix {
            needs: &[Need::Forgery],
            says: "exempt the webhook from the anti-forgery check; check Twilio's signature instead",
            code: "[IgnoreAntiforgeryToken]\n[ValidateRequest]  // Twilio.AspNet.Core",
        },
        Fix {
            needs: &[Need::Verb, Need::Route],
            says: "take both methods at the path that is at Twilio; a static file takes no POST in IIS",
            code: "[AcceptVerbs(\"GET\", \"POST\"), Route(\"voice\")]",
        },
        Fix {
            needs: &[Need::Forbidden],
            says: "leave the action out of the login; behind a proxy the signature needs the public URL",
            code: "[AllowAnonymous]\n[ValidateRequest]\napp.UseForwardedHeaders();  // XForwardedProto and XForwardedHost, before routing",
        },
        Fix {
            needs: &[Need::Redirect],
            says: "behind a TLS proxy read its headers before redirecting to https",
            code: "app.UseForwardedHeaders();\napp.UseHttpsRedirection();",
        },
        Fix {
            needs: &[Need::Parameters],
            says: "Twilio sends a form, and not every field every time",
            code: "public TwiMLResult Index([FromForm] VoiceRequest request)  // not [FromBody]; fields may be null",
        },
        Fix {
            needs: &[Need::Document, Need::Page],
            says: "return a document in every branch, if only an empty one",
            code: "return TwiML(new VoiceResponse());  // not Ok(), not NoContent()",
        },
        Fix {
            needs: &[Need::ByteOrderMark],
            says: "write UTF-8 without a byte order mark",
            code: "new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)  // for XmlWriter and StreamWriter",
        },
        Fix {
            needs: &[Need::Encoding],
            says: "StringWriter declares utf-16 whatever is sent; let the library write the document",
            code: "return Content(response.ToString(), \"text/xml\", new UTF8Encoding(false));",
        },
        Fix {
            needs: &[Need::Escaping, Need::Output],
            says: "let the library write the document, not a view",
            code: "new VoiceResponse().Redirect(new Uri(\"/menu?a=1&b=2\", UriKind.Relative))  // escapes what it is given",
        },
        Fix {
            needs: &[Need::Down],
            says: "the application pool is stopped or the site fails to start: the Windows event log has it",
            code: "Restart-WebAppPool -Name \"YourPool\"",
        },
    ],
};
