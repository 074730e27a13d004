"""Pages of programs and platforms that cannot be installed here, written after their publicly known shape.

`python -m capture handwritten` writes them; the manifest marks them `"captured": false`.
"""

from . import wire

RIGS = {}
HTML = "text/html; charset=UTF-8"


def cloudflare_error(code, title, summary):
    return f"""<!DOCTYPE html>
<!--[if lt IE 7]> <html class="no-js ie6 oldie" lang="en-US"> <![endif]-->
<!--[if gt IE 8]><!--> <html class="no-js" lang="en-US"> <!--<![endif]-->
<head>
<title>pbx.example.com | {code}: {title}</title>
<meta charset="UTF-8" />
<meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
<meta name="robots" content="noindex, nofollow" />
<link rel="stylesheet" id="cf_styles-css" href="/cdn-cgi/styles/main.css" />
</head>
<body>
<div id="cf-wrapper">
  <div id="cf-error-details" class="p-0">
    <header class="mx-auto pt-10 lg:pt-6 lg:px-8 w-240 lg:w-full mb-8">
      <h1 class="inline-block sm:block sm:mb-2 font-light text-60 lg:text-4xl text-black-dark leading-tight mr-2">
        <span class="inline-block">{title}</span>
        <span class="code-label">Error code {code}</span>
      </h1>
      <div>Visit <a href="https://www.cloudflare.com/5xx-error-landing?utm_source=errorcode_{code}&utm_campaign=pbx.example.com" target="_blank" rel="noopener noreferrer">cloudflare.com</a> for more information.</div>
    </header>
    <div class="my-8 bg-gradient-gray"><p>{summary}</p></div>
    <div class="cf-error-footer cf-wrapper w-240"><p class="text-13"><span class="cf-footer-item sm:block sm:mb-1">Cloudflare Ray ID: <strong class="font-semibold">89abcdef01234567</strong></span> <span>Performance &amp; security by <a rel="noopener noreferrer" href="https://www.cloudflare.com/5xx-error-landing">Cloudflare</a></span></p></div>
  </div>
</div>
</body>
</html>
"""


CF = [("Server", "cloudflare"), ("CF-RAY", "89abcdef01234567-FRA")]
CHALLENGE = """<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title><meta http-equiv="Content-Type" content="text/html; charset=UTF-8"><meta name="robots" content="noindex,nofollow"><meta http-equiv="refresh" content="360"></head><body><div class="main-wrapper" role="main"><div class="main-content"><noscript><div class="h2"><span id="challenge-error-text">Enable JavaScript and cookies to continue</span></div></noscript></div></div><script>(function(){window._cf_chl_opt = {cvId: '3',cZone: 'pbx.example.com',cType: 'managed',cRay: '89abcdef01234567'};var a = document.createElement('script');a.src = '/cdn-cgi/challenge-platform/h/g/orchestrate/chl_page/v1?ray=89abcdef01234567';document.getElementsByTagName('head')[0].appendChild(a);}());</script></body></html>"""
ALB = "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n"
HEROKU = """<!DOCTYPE html>
<html>
  <head>
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta charset="utf-8">
    <title>{title}</title>
    <style media="screen">
      html,body,iframe {{ margin: 0; padding: 0; }}
      html,body {{ height: 100%; overflow: hidden; }}
      iframe {{ width: 100%; height: 100%; border: 0; }}
    </style>
  </head>
  <body>
    <iframe src="//www.herokucdn.com/error-pages/{page}.html"></iframe>
  </body>
</html>"""
NGROK = """<!DOCTYPE html>
<html class="h-full" lang="en-US" dir="ltr">
  <head>
    <meta charset="utf-8">
    <meta name="author" content="ngrok">
    <meta name="description" content="ngrok is the fastest way to put anything on the internet with a single command.">
    <meta name="robots" content="noindex, nofollow">
    <link id="style" rel="stylesheet" href="https://cdn.ngrok.com/static/css/error.css">
    <noscript>{text} ({code})</noscript>
    <script id="script" src="https://cdn.ngrok.com/static/js/error.js" type="text/javascript"></script>
  </head>
  <body class="h-full" id="ngrok"><div id="root" data-payload="eyJlcnJvciI6dHJ1ZX0="></div></body>
</html>
"""
GOOGLE = """<!DOCTYPE html>
<html lang=en>
  <meta charset=utf-8>
  <meta name=viewport content="initial-scale=1, minimum-scale=1, width=device-width">
  <title>Error {code} ({name})!!1</title>
  <style>
    *{{margin:0;padding:0}}html,code{{font:15px/22px arial,sans-serif}}html{{background:#fff;color:#222;padding:15px}}
  </style>
  <a href=//www.google.com/><span id=logo aria-label=Google></span></a>
  <p><b>{code}.</b> <ins>That’s an error.</ins>
  <p>{text}  <ins>That’s all we know.</ins>
"""
IIS = """<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">
<html xmlns="http://www.w3.org/1999/xhtml">
<head>
<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-1"/>
<title>{title}</title>
</head>
<body>
<div id="header"><h1>Server Error</h1></div>
<div id="content">
 <div class="content-container"><fieldset>
  <h2>{title}</h2>
  <h3>{text}</h3>
 </fieldset></div>
</div>
</body>
</html>
"""
PAGES = [
    # name, origin, program, status line, headers, body
    ("cloudflare-520", "cloudflare", "Cloudflare", "520 ", CF + [("Content-Type", HTML)],
     cloudflare_error(520, "Web server is returning an unknown error", "There is an unknown connection issue between Cloudflare and the origin web server.")),
    ("cloudflare-521", "cloudflare", "Cloudflare", "521 ", CF + [("Content-Type", HTML)],
     cloudflare_error(521, "Web server is down", "The web server is not returning a connection. As a result, the web page is not displaying.")),
    ("cloudflare-522", "cloudflare", "Cloudflare", "522 ", CF + [("Content-Type", HTML)],
     cloudflare_error(522, "Connection timed out", "The initial connection between Cloudflare's network and the origin web server timed out.")),
    ("cloudflare-524", "cloudflare", "Cloudflare", "524 ", CF + [("Content-Type", HTML)],
     cloudflare_error(524, "A timeout occurred", "The origin web server timed out responding to this request.")),
    ("cloudflare-502", "cloudflare", "Cloudflare", "502 Bad Gateway", CF + [("Content-Type", HTML)],
     cloudflare_error(502, "Bad gateway", "The web server reported a bad gateway error.")),
    ("cloudflare-403-challenge", "cloudflare", "Cloudflare", "403 Forbidden",
     CF + [("Content-Type", HTML), ("cf-mitigated", "challenge"), ("Cache-Control", "private, no-store")], CHALLENGE),
    ("cloudflare-503-challenge", "cloudflare", "Cloudflare", "503 Service Temporarily Unavailable",
     CF + [("Content-Type", HTML), ("cf-mitigated", "challenge")], CHALLENGE),
    ("cloudflare-403-blocked", "cloudflare", "Cloudflare", "403 Forbidden", CF + [("Content-Type", HTML)],
     cloudflare_error(1020, "Access denied", "This website is using a security service to protect itself from online attacks.")),
    ("cloudflare-429-1015", "cloudflare", "Cloudflare", "429 Too Many Requests",
     CF + [("Content-Type", "text/plain; charset=UTF-8"), ("Retry-After", "30")], "error code: 1015"),
    ("cloudflare-530-1033-tunnel", "cloudflare", "Cloudflare", "530 ", CF + [("Content-Type", HTML)],
     cloudflare_error(1033, "Cloudflare Tunnel error", "The host is configured as a Cloudflare Tunnel, and Cloudflare is currently unable to resolve it.")),
    ("cloudflare-502-text", "cloudflare", "Cloudflare", "502 Bad Gateway",
     CF + [("Content-Type", "text/plain; charset=UTF-8")], "error code: 502"),
    ("aws-alb-502", "aws-alb", "AWS Application Load Balancer", "502 Bad Gateway",
     [("Server", "awselb/2.0"), ("Content-Type", "text/html")], ALB.format("502 Bad Gateway")),
    ("aws-alb-503", "aws-alb", "AWS Application Load Balancer", "503 Service Temporarily Unavailable",
     [("Server", "awselb/2.0"), ("Content-Type", "text/html")], ALB.format("503 Service Temporarily Unavailable")),
    ("aws-alb-504", "aws-alb", "AWS Application Load Balancer", "504 Gateway Time-out",
     [("Server", "awselb/2.0"), ("Content-Type", "text/html")], ALB.format("504 Gateway Time-out")),
    ("aws-alb-403", "aws-alb", "AWS Application Load Balancer", "403 Forbidden",
     [("Server", "awselb/2.0"), ("Content-Type", "text/html")], ALB.format("403 Forbidden")),
    ("aws-api-gateway-403", "aws-api-gateway", "Amazon API Gateway", "403 Forbidden",
     [("Content-Type", "application/json"), ("x-amzn-RequestId", "01234567-89ab-cdef-0123-456789abcdef"),
      ("x-amzn-ErrorType", "MissingAuthenticationTokenException"), ("x-amz-apigw-id", "AAAAAAAAAAAAAAA=")],
     '{"message":"Missing Authentication Token"}'),
    ("aws-api-gateway-502", "aws-api-gateway", "Amazon API Gateway", "502 Bad Gateway",
     [("Content-Type", "application/json"), ("x-amzn-RequestId", "01234567-89ab-cdef-0123-456789abcdef"),
      ("x-amzn-ErrorType", "InternalServerErrorException"), ("x-amz-apigw-id", "AAAAAAAAAAAAAAA=")],
     '{"message": "Internal server error"}'),
    ("aws-api-gateway-504", "aws-api-gateway", "Amazon API Gateway", "504 Gateway Timeout",
     [("Content-Type", "application/json"), ("x-amzn-RequestId", "01234567-89ab-cdef-0123-456789abcdef")],
     '{"message": "Endpoint request timed out"}'),
    ("aws-cloudfront-403", "aws-cloudfront", "Amazon CloudFront", "403 Forbidden",
     [("Server", "CloudFront"), ("Content-Type", "text/html"), ("X-Cache", "Error from cloudfront"),
      ("Via", "1.1 0123456789abcdef.cloudfront.net (CloudFront)"), ("X-Amz-Cf-Id", "AAAA==")],
     """<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN" "http://www.w3.org/TR/html4/loose.dtd">
<HTML><HEAD><META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=iso-8859-1">
<TITLE>ERROR: The request could not be satisfied</TITLE>
</HEAD><BODY>
<H1>403 ERROR</H1>
<H2>The request could not be satisfied.</H2>
<HR noshade size="1px">
This distribution is not configured to allow the HTTP request method that was used for this request. The distribution supports only cachable requests.
<BR clear="all">
<HR noshade size="1px">
<PRE>
Generated by cloudfront (CloudFront)
Request ID: AAAA==
</PRE>
<ADDRESS>
</ADDRESS>
</BODY></HTML>"""),
    ("aws-s3-403", "aws-s3", "Amazon S3", "403 Forbidden",
     [("x-amz-request-id", "0123456789ABCDEF"), ("x-amz-id-2", "AAAA="), ("Content-Type", "application/xml"), ("Server", "AmazonS3")],
     '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message><RequestId>0123456789ABCDEF</RequestId><HostId>AAAA=</HostId></Error>'),
    ("aws-s3-405", "aws-s3", "Amazon S3", "405 Method Not Allowed",
     [("x-amz-request-id", "0123456789ABCDEF"), ("Allow", "GET, HEAD"), ("Content-Type", "application/xml"), ("Server", "AmazonS3")],
     '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>MethodNotAllowed</Code><Message>The specified method is not allowed against this resource.</Message><Method>POST</Method><ResourceType>OBJECT</ResourceType></Error>'),
    ("heroku-503-application-error", "heroku", "Heroku router", "503 Service Unavailable",
     [("Server", "Heroku"), ("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-cache, no-store")],
     HEROKU.format(title="Application Error", page="application-error")),
    ("heroku-404-no-such-app", "heroku", "Heroku router", "404 Not Found",
     [("Server", "Heroku"), ("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-cache, no-store")],
     HEROKU.format(title="No such app", page="no-such-app")),
    ("heroku-503-maintenance", "heroku", "Heroku router", "503 Service Unavailable",
     [("Server", "Heroku"), ("Content-Type", "text/html; charset=utf-8")], HEROKU.format(title="Offline for Maintenance", page="maintenance")),
    ("ngrok-404-offline", "ngrok", "ngrok", "404 Not Found",
     [("Content-Type", "text/html"), ("Ngrok-Error-Code", "ERR_NGROK_3200"), ("Referrer-Policy", "no-referrer")],
     NGROK.format(text="The endpoint pbx.ngrok-free.app is offline.", code="ERR_NGROK_3200")),
    ("ngrok-502", "ngrok", "ngrok", "502 Bad Gateway",
     [("Content-Type", "text/html"), ("Ngrok-Error-Code", "ERR_NGROK_8012"), ("Referrer-Policy", "no-referrer")],
     NGROK.format(text="Traffic was successfully tunneled to the ngrok agent, but the agent failed to establish a connection to the upstream web service at http://localhost:5000.", code="ERR_NGROK_8012")),
    ("ngrok-200-interstitial", "ngrok", "ngrok", "200 OK",
     [("Content-Type", "text/html"), ("Ngrok-Error-Code", "ERR_NGROK_6024"), ("Referrer-Policy", "no-referrer")],
     NGROK.format(text="You are about to visit pbx.ngrok-free.app, served by 203.0.113.7. This website is served for free through ngrok.com.", code="ERR_NGROK_6024")),
    ("azure-app-service-403", "azure", "Azure App Service", "403 Site Disabled",
     [("Content-Type", "text/html"), ("x-ms-middleware-request-id", "00000000-0000-0000-0000-000000000000")],
     '<!DOCTYPE html>\r\n<html>\r\n<head>\r\n    <title>Web App - Unavailable</title>\r\n    <style type="text/css">\r\n        html { height: 100%; width: 100%; }\r\n    </style>\r\n</head>\r\n<body>\r\n    <div id="feature"><div id="content"><h1 id="unavailable">Error 403 - This web app is stopped.</h1><p id="tryAgain">The web app you have attempted to reach is currently stopped and does not accept any requests. Please try to reload the page or visit it again soon.</p><p id="toAdmin">If you are the web app administrator, please find the common 403 error scenarios and resolution <a href="https://go.microsoft.com/fwlink/?linkid=2095007" target="_blank">here</a>. For further troubleshooting tools and recommendations, please visit <a href="https://portal.azure.com/">Azure Portal</a>.</p></div></div>\r\n</body>\r\n</html>\r\n'),
    ("azure-app-service-503", "azure", "Azure App Service", "503 Service Unavailable",
     [("Content-Type", "text/html")],
     '<!DOCTYPE html>\r\n<html>\r\n<head>\r\n    <title>Application Error</title>\r\n</head>\r\n<body>\r\n    <h1>:( Application Error</h1>\r\n    <p>If you are the application administrator, you can access the <a href="https://go.microsoft.com/fwlink/?linkid=2157603">diagnostic resources</a>.</p>\r\n</body>\r\n</html>\r\n'),
    ("azure-front-door-503", "azure", "Azure Front Door", "503 Service Unavailable",
     [("Content-Type", "text/html"), ("x-azure-ref", "20260101T000000Z-0123456789abcdef")],
     "<h2>Our services aren't available right now</h2><p>We're working to restore all services as soon as possible. Please check back soon.</p>20260101T000000Z-0123456789abcdef"),
    ("azure-application-gateway-502", "azure", "Azure Application Gateway", "502 Bad Gateway",
     [("Server", "Microsoft-Azure-Application-Gateway/v2"), ("Content-Type", "text/html")],
     "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>Microsoft-Azure-Application-Gateway/v2</center>\r\n</body>\r\n</html>\r\n"),
    ("google-502", "google", "Google Front End", "502 Bad Gateway",
     [("Content-Type", HTML), ("Referrer-Policy", "no-referrer"), ("Via", "1.1 google")],
     GOOGLE.format(code=502, name="Server Error", text="The server encountered a temporary error and could not complete your request.<p>Please try again in 30 seconds.")),
    ("google-404", "google", "Google Front End", "404 Not Found", [("Content-Type", HTML), ("Referrer-Policy", "no-referrer")],
     GOOGLE.format(code=404, name="Not Found", text="The requested URL <code>/voice</code> was not found on this server.")),
    ("google-cloud-run-503", "google", "Google Cloud Run", "503 Service Unavailable",
     [("Content-Type", "text/html; charset=UTF-8"), ("Server", "Google Frontend")],
     "\n<html><head>\n<meta http-equiv=\"content-type\" content=\"text/html;charset=utf-8\">\n<title>503 Server Error</title>\n</head>\n<body text=#000000 bgcolor=#ffffff>\n<h1>Error: Server Error</h1>\n<h2>The service you requested is not available yet.<p>Please try again in 30 seconds.</h2>\n<h2></h2>\n</body></html>\n"),
    ("google-lb-no-healthy-upstream", "google", "Google Cloud Load Balancing", "503 Service Unavailable",
     [("Content-Type", "text/plain"), ("Via", "1.1 google")], "no healthy upstream"),
    ("envoy-503", "envoy", "Envoy", "503 Service Unavailable",
     [("Content-Type", "text/plain"), ("Server", "envoy")],
     "upstream connect error or disconnect/reset before headers. reset reason: connection failure, transport failure reason: delayed connect error: 111"),
    ("traefik-404", "go-net-http", "Traefik", "404 Not Found",
     [("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff")], "404 page not found\n"),
    ("traefik-502", None, "Traefik", "502 Bad Gateway", [("Content-Type", "text/plain")], "Bad Gateway"),
    ("kubernetes-default-backend-404", "kubernetes-ingress", "Kubernetes default backend", "404 Not Found",
     [("Content-Type", "text/plain; charset=utf-8")], "default backend - 404"),
    ("fly-502", "fly", "Fly.io proxy", "502 Bad Gateway", [("Server", "Fly/0123456 (2026-01-01)"), ("Via", "1.1 fly.io"), ("fly-request-id", "01ARZ3NDEKTSV4RRFFQ69G5FAV-fra")], ""),
    ("vercel-404", "vercel", "Vercel", "404 Not Found",
     [("Server", "Vercel"), ("X-Vercel-Error", "NOT_FOUND"), ("X-Vercel-Id", "fra1::aaaaa-0000000000000-0123456789ab"), ("Content-Type", "text/plain; charset=utf-8")],
     "The page could not be found\n\nNOT_FOUND\n\nfra1::aaaaa-0000000000000-0123456789ab\n"),
    ("vercel-504", "vercel", "Vercel", "504 Gateway Timeout",
     [("Server", "Vercel"), ("X-Vercel-Error", "FUNCTION_INVOCATION_TIMEOUT"), ("Content-Type", "text/plain; charset=utf-8")],
     "An error occurred with your deployment\n\nFUNCTION_INVOCATION_TIMEOUT\n\nfra1::aaaaa-0000000000000-0123456789ab\n"),
    ("render-502", "render", "Render", "502 Bad Gateway", [("Server", "cloudflare"), ("x-render-routing", "dynamic-paid-error"), ("Content-Type", "text/html")],
     "<!DOCTYPE html><html><head><title>502</title></head><body><h1>Bad Gateway</h1><p>This service is currently unavailable. Please try again in a few minutes.</p></body></html>"),
    ("railway-404", "railway", "Railway", "404 Not Found",
     [("Server", "railway-edge"), ("x-railway-fallback", "true"), ("Content-Type", "application/json")],
     '{"status":"error","code":404,"message":"Application not found","request_id":"AAAAAAAAAAAAAAAAAAAAAA"}'),
    ("akamai-403", "akamai", "Akamai", "403 Forbidden", [("Server", "AkamaiGHost"), ("Mime-Version", "1.0"), ("Content-Type", "text/html")],
     '<HTML><HEAD>\n<TITLE>Access Denied</TITLE>\n</HEAD><BODY>\n<H1>Access Denied</H1>\n \nYou don\'t have permission to access "http&#58;&#47;&#47;pbx&#46;example&#46;com&#47;voice" on this server.<P>\nReference&#32;&#35;18&#46;0&#46;1767225600&#46;0123456\n<P>https&#58;&#47;&#47;errors&#46;edgesuite&#46;net&#47;18&#46;0&#46;1767225600&#46;0123456</P>\n</BODY>\n</HTML>\n'),
    ("imperva-200", "imperva", "Imperva", "200 OK", [("Content-Type", "text/html"), ("X-Iinfo", "1-1-1 NNNN"), ("X-CDN", "Imperva")],
     '<html style="height:100%"><head><META NAME="ROBOTS" CONTENT="NOINDEX, NOFOLLOW"><meta name="format-detection" content="telephone=no"><meta name="viewport" content="initial-scale=1.0"></head><body style="margin:0px;height:100%"><iframe id="main-iframe" src="/_Incapsula_Resource?CWUDNSAI=9&xinfo=1-1-1&incident_id=100000000000000000-100000000000000000&edet=16&cinfo=ffffffff" frameborder=0 width="100%" height="100%" marginheight="0px" marginwidth="0px">Request unsuccessful. Incapsula incident ID: 100000000000000000-100000000000000000</iframe></body></html>'),
    ("f5-asm-200", "f5", "F5 BIG-IP ASM", "200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-cache"), ("Pragma", "no-cache")],
     "<html><head><title>Request Rejected</title></head><body>The requested URL was rejected. Please consult with your administrator.<br><br>Your support ID is: 1234567890123456789<br><br><a href='javascript:history.back();'>[Go Back]</a></body></html>"),
    ("sucuri-403", "sucuri", "Sucuri WAF", "403 Forbidden", [("Server", "Sucuri/Cloudproxy"), ("X-Sucuri-ID", "11005"), ("X-Sucuri-Block", "HTTPM001"), ("Content-Type", "text/html")],
     "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<title>Sucuri WebSite Firewall - Access Denied</title>\n</head>\n<body>\n<h1>Access Denied - Sucuri Website Firewall</h1>\n<p>If you are the site owner (or you manage this site), please whitelist your IP or if you think this block is an error please open a support ticket.</p>\n<p>Block reason: Access from your IP was blocked</p>\n</body></html>\n"),
    ("mod-security-406", "modsecurity", "Apache httpd with ModSecurity", "406 Not Acceptable", [("Server", "Apache"), ("Content-Type", "text/html; charset=iso-8859-1")],
     "<head><title>Not Acceptable!</title></head><body><h1>Not Acceptable!</h1><p>An appropriate representation of the requested resource could not be found on this server. This error was generated by Mod_Security.</p></body></html>"),
    ("iis-404", "iis", "Microsoft IIS", "404 Not Found", [("Server", "Microsoft-IIS/10.0"), ("X-Powered-By", "ASP.NET"), ("Content-Type", "text/html")],
     IIS.format(title="404 - File or directory not found.", text="The resource you are looking for might have been removed, had its name changed, or is temporarily unavailable.")),
    ("iis-405", "iis", "Microsoft IIS", "405 Method Not Allowed", [("Allow", "GET, HEAD, OPTIONS, TRACE"), ("Server", "Microsoft-IIS/10.0"), ("Content-Type", "text/html")],
     IIS.format(title="405 - HTTP verb used to access this page is not allowed.", text="The page you are looking for cannot be displayed because an invalid method (HTTP verb) was used to attempt access.")),
    ("http-sys-503", "iis", "Microsoft HTTP.sys", "503 Service Unavailable", [("Content-Type", "text/html; charset=us-ascii"), ("Server", "Microsoft-HTTPAPI/2.0")],
     '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN""http://www.w3.org/TR/html4/strict.dtd">\r\n<HTML><HEAD><TITLE>Service Unavailable</TITLE>\r\n<META HTTP-EQUIV="Content-Type" Content="text/html; charset=us-ascii"></HEAD>\r\n<BODY><h2>Service Unavailable</h2>\r\n<hr><p>HTTP Error 503. The service is unavailable.</p>\r\n</BODY></HTML>\r\n'),
    ("aspnet-500", "aspnet", "ASP.NET", "500 Internal Server Error", [("Server", "Microsoft-IIS/10.0"), ("X-AspNet-Version", "4.0.30319"), ("Content-Type", "text/html; charset=utf-8")],
     "<!DOCTYPE html>\r\n<html>\r\n    <head>\r\n        <title>Runtime Error</title>\r\n    </head>\r\n    <body bgcolor=\"white\">\r\n            <span><H1>Server Error in '/' Application.<hr width=100% size=1 color=silver></H1>\r\n            <h2> <i>Runtime Error</i> </h2></span>\r\n            <b> Description: </b>An application error occurred on the server. The current custom error settings for this application prevent the details of the application error from being viewed remotely (for security reasons).\r\n    </body>\r\n</html>\r\n"),
    ("spring-404-json", "spring", "Spring Boot", "404 ", [("Content-Type", "application/json")],
     '{"timestamp":"2026-01-01T00:00:00.000+00:00","status":404,"error":"Not Found","path":"/voice"}'),
    ("spring-500-whitelabel", "spring", "Spring Boot", "500 ", [("Content-Type", "text/html;charset=UTF-8"), ("Content-Language", "en")],
     "<html><body><h1>Whitelabel Error Page</h1><p>This application has no explicit mapping for /error, so you are seeing this as a fallback.</p><div id='created'>Thu Jan 01 00:00:00 UTC 2026</div><div>There was an unexpected error (type=Internal Server Error, status=500).</div></body></html>"),
    ("laravel-419", "laravel", "Laravel", "419 unknown status", [("X-Powered-By", "PHP/8.2.36"), ("Cache-Control", "no-cache, private"), ("Content-Type", HTML)],
     '<!DOCTYPE html>\n<html lang="en">\n    <head>\n        <meta charset="utf-8">\n        <meta name="viewport" content="width=device-width, initial-scale=1">\n        <title>Page Expired</title>\n    </head>\n    <body class="antialiased">\n        <div class="relative flex items-top justify-center min-h-screen bg-gray-100 sm:items-center sm:pt-0">\n            <div class="px-4 text-lg text-gray-500 border-r border-gray-400 tracking-wider">419</div>\n            <div class="ml-4 text-lg text-gray-500 uppercase tracking-wider">Page Expired</div>\n        </div>\n    </body>\n</html>\n'),
    ("laravel-500-json", "laravel", "Laravel", "500 Internal Server Error", [("Content-Type", "application/json")],
     '{\n    "message": "SQLSTATE[HY000] [2002] Connection refused",\n    "exception": "Illuminate\\\\Database\\\\QueryException",\n    "file": "/var/www/vendor/laravel/framework/src/Illuminate/Database/Connection.php",\n    "line": 760,\n    "trace": []\n}'),
    ("wordpress-500", "wordpress", "WordPress", "500 Internal Server Error", [("Content-Type", HTML)],
     '<!DOCTYPE html>\n<html lang="en-US">\n<head>\n\t<meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />\n\t<meta name=\'robots\' content=\'max-image-preview:large, noindex, follow\' />\n\t<title>WordPress &rsaquo; Error</title>\n</head>\n<body id="error-page">\n\t<div class="wp-die-message"><p>There has been a critical error on this website. Please check your site admin email inbox for instructions.</p></div></body>\n</html>\n'),
    ("wordpress-rest-404", "wordpress", "WordPress", "404 Not Found", [("Content-Type", "application/json; charset=UTF-8"), ("X-Robots-Tag", "noindex")],
     '{"code":"rest_no_route","message":"No route was found matching the URL and request method.","data":{"status":404}}'),
    ("passenger-500", "passenger", "Phusion Passenger", "500 Internal Server Error", [("Status", "500 Internal Server Error"), ("X-Powered-By", "Phusion Passenger(R) 6.0.20"), ("Content-Type", HTML)],
     "<!DOCTYPE html>\n<html><head><title>We're sorry, but something went wrong (500)</title></head><body><h1>We're sorry, but something went wrong.</h1><p>The issue has been logged for investigation. Please try again later.</p><p>This website is powered by <a href=\"https://www.phusionpassenger.com\"><b>Phusion Passenger</b></a></p></body></html>"),
    ("google-apps-script-302", "google-apps-script", "Google Apps Script", "302 Moved Temporarily",
     [("Content-Type", HTML), ("Location", "https://script.googleusercontent.com/macros/echo?user_content_key=AAAA&lib=BBBB"), ("Server", "ESF")],
     '<HTML>\n<HEAD>\n<TITLE>Moved Temporarily</TITLE>\n</HEAD>\n<BODY BGCOLOR="#FFFFFF" TEXT="#000000">\n<H1>Moved Temporarily</H1>\nThe document has moved <A HREF="https://script.googleusercontent.com/macros/echo?user_content_key=AAAA&amp;lib=BBBB">here</A>.\n</BODY>\n</HTML>\n'),
    ("localtunnel-511", "localtunnel", "localtunnel", "511 Network Authentication Required", [("Content-Type", "text/html"), ("bypass-tunnel-reminder", "")],
     '<!DOCTYPE html><html lang="en"><head><title>Tunnel website ahead!</title></head><body><h1>You are about to visit: pbx.loca.lt</h1><p>This website is served via a localtunnel. To access the website, please enter the tunnel password below.</p></body></html>'),
    ("next-404", "next", "Next.js", "404 Not Found", [("X-Powered-By", "Next.js"), ("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "private, no-cache, no-store, max-age=0, must-revalidate")],
     '<!DOCTYPE html><html><head><meta charSet="utf-8" data-next-head=""/><meta name="viewport" content="width=device-width" data-next-head=""/><title data-next-head="">404: This page could not be found</title><script src="/_next/static/chunks/webpack-0123456789abcdef.js" defer=""></script></head><body><div id="__next"><div style="font-family:system-ui"><h1 class="next-error-h1">404</h1><h2>This page could not be found.</h2></div></div><script id="__NEXT_DATA__" type="application/json">{"props":{"pageProps":{"statusCode":404}},"page":"/_error","query":{},"buildId":"AAAA"}</script></body></html>'),
    ("spa-react-200", "spa", "Create React App", "200 OK", [("Content-Type", "text/html; charset=utf-8")],
     '<!doctype html><html lang="en"><head><meta charset="utf-8"/><link rel="icon" href="/favicon.ico"/><meta name="viewport" content="width=device-width,initial-scale=1"/><meta name="description" content="Web site created using create-react-app"/><title>React App</title><script defer="defer" src="/static/js/main.0123abcd.js"></script><link href="/static/css/main.0123abcd.css" rel="stylesheet"></head><body><noscript>You need to enable JavaScript to run this app.</noscript><div id="root"></div></body></html>'),
    ("spa-angular-200", "spa", "Angular", "200 OK", [("Content-Type", "text/html; charset=utf-8")],
     '<!doctype html>\n<html lang="en" data-beasties-container>\n<head>\n  <meta charset="utf-8">\n  <title>Pbx</title>\n  <base href="/">\n  <meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="stylesheet" href="styles-5INURTSO.css"></head>\n<body>\n  <app-root></app-root>\n<link rel="modulepreload" href="chunk-ABCDEFGH.js"><script src="polyfills-FFHMD2TL.js" type="module"></script><script src="main-5YUIWCKF.js" type="module"></script></body>\n</html>\n'),
]


def handwritten(stage):
    for name, origin, program, status, headers, body in PAGES:
        body = body.encode()
        pairs = [(key.encode(), value.encode()) for key, value in headers] + [(b"Content-Length", b"%d" % len(body))]
        answer = wire.Answer(b"HTTP/1.1 " + status.encode(), pairs, body, "length")
        code = answer.status
        kind = "spa" if name.startswith("spa") else "redirect" if 300 <= code < 400 else "empty" if not body else "error"
        stage.keep(answer, name, origin, program, None, "written after its publicly known shape", kind)
        stage.pages[-1]["captured"] = False


RIGS["handwritten"] = handwritten
