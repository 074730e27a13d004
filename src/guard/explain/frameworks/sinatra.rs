//! Sinatra.

use super::{Fix, Framework, Need};

pub(super) static FRAMEWORK: Framework = Framework {
    name: "Sinatra",
    origins: &["Sinatra"],
    headers: &["x-cascade: pass"],
    fixes: &[
        Fix {
            needs: &[Need::Type, Need::Json, Need::Wrapped, Need::Document],
            says: "name the type and return the document's text",
            code: "content_type 'text/xml'\nresponse.to_s",
        },
        Fix {
            needs: &[Need::ErrorPage],
            says: "let errors answer with TwiML",
            code: "set :show_exceptions, false\nerror do\n  status 200\n  content_type 'text/xml'\n  Twilio::TwiML::VoiceResponse.new { |r| r.say(message: 'We are sorry, please call again later.') }.to_s\nend",
        },
        Fix {
            needs: &[Need::Route, Need::Verb],
            says: "a block under `get` does not take Twilio's POST",
            code: "post '/voice' do",
        },
        Fix {
            needs: &[Need::Forbidden],
            says: "Rack::Protection turns some POSTs and hosts away; check Twilio's signature instead",
            code: "use Rack::TwilioWebhookAuthentication, ENV['TWILIO_AUTH_TOKEN'], '/voice'\nset :host_authorization, { permitted_hosts: ['pbx.example.com'] }",
        },
        Fix {
            needs: &[Need::Escaping, Need::Output, Need::Encoding],
            says: "let the library write the document",
            code: "Twilio::TwiML::VoiceResponse.new { |r| r.redirect('/menu?a=1&b=2') }.to_s  # escapes what it is given",
        },
    ],
};
