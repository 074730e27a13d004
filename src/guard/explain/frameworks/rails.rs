//! Ruby on Rails.

use super::{Fix, Framework, Need};

pub(super) static FRAMEWORK: Framework = Framework {
    name: "Rails",
    origins: &["Rails"],
    headers: &["x-runtime: "],
    fixes: &[
        Fix {
            needs: &[Need::Type, Need::Json, Need::Wrapped],
            says: "render the document as XML",
            code: "render xml: response.to_s  # not render plain:, json: or html:",
        },
        Fix {
            needs: &[Need::Forgery],
            says: "exempt the webhook from the authenticity check; check Twilio's signature instead",
            code: "class TwilioController < ApplicationController\n  skip_forgery_protection",
        },
        Fix {
            needs: &[Need::ErrorPage],
            says: "let errors of the webhooks' controller answer with TwiML",
            code: "rescue_from StandardError do |error|\n  Rails.logger.error(error.full_message)\n  twiml = Twilio::TwiML::VoiceResponse.new { |r| r.say(message: 'We are sorry, please call again later.') }\n  render xml: twiml.to_s\nend",
        },
        Fix {
            needs: &[Need::Route, Need::Verb],
            says: "take both methods in config/routes.rb",
            code: "match '/voice', to: 'twilio#voice', via: [:get, :post]",
        },
        Fix {
            needs: &[Need::Forbidden],
            says: "leave the webhook out of the login; let the gem check the signature",
            code: "skip_before_action :authenticate_user!\n# config/application.rb\nconfig.middleware.use Rack::TwilioWebhookAuthentication, ENV['TWILIO_AUTH_TOKEN'], '/voice'",
        },
        Fix {
            needs: &[Need::Redirect],
            says: "leave webhooks out of the redirects to https and to the login",
            code: "# config/environments/production.rb, behind a TLS proxy\nconfig.assume_ssl = true\nconfig.ssl_options = { redirect: { exclude: ->(request) { request.path.start_with?('/voice') } } }",
        },
        Fix {
            needs: &[Need::Parameters],
            says: "a blocked host or a required parameter; fields may be absent",
            code: "config.hosts << 'pbx.example.com'\ndigits = params[:Digits].to_s  # not params.require(:Digits)",
        },
        Fix {
            needs: &[Need::Document, Need::Page],
            says: "render a document in every branch, if only an empty one: an action without a template gives 204",
            code: "render xml: Twilio::TwiML::VoiceResponse.new.to_s  # <Response/>; not head :ok",
        },
        Fix {
            needs: &[Need::Escaping, Need::Output, Need::Encoding],
            says: "let the library write the document, not a template",
            code: "twiml = Twilio::TwiML::VoiceResponse.new { |r| r.redirect('/menu?a=1&b=2') }  # escapes what it is given\nrender xml: twiml.to_s",
        },
        Fix {
            needs: &[Need::ByteOrderMark],
            says: "read files without their byte order mark",
            code: "File.read(path, encoding: 'bom|utf-8')",
        },
    ],
};
