"""PHP's own messages, printed around a page or around TwiML, by its built-in server and by php-cgi."""

import re

RIGS = {}
SCRIPTS = {
    # name: (source, how, kind)
    "fatal-undefined-function": (
        '<?php header("Content-Type: text/xml"); nosuch();', "call of an undefined function", "error"),
    "fatal-after-twiml": (
        "<?php header('Content-Type: text/xml'); echo '<?xml version=\"1.0\"?><Response><Say>Hi'; nosuch();",
        "call of an undefined function in the middle of the TwiML", "error"),
    "uncaught-exception": (
        '<?php throw new RuntimeException("SQLSTATE[HY000] [2002] Connection refused");', "uncaught exception", "error"),
    "parse-error": ("<?php echo <Response>;", "syntax error", "error"),
    "warning-before-twiml": (
        "<?php header('Content-Type: text/xml'); $a = []; $b = $a['Digits'];\n"
        "echo '<?xml version=\"1.0\" encoding=\"UTF-8\"?>' . \"\\n<Response><Say>Press 1 for sales</Say></Response>\";",
        "undefined array key before the TwiML", "wrapped"),
    "warning-after-twiml": (
        "<?php header('Content-Type: text/xml');\n"
        "echo '<?xml version=\"1.0\" encoding=\"UTF-8\"?>' . \"\\n<Response><Say>Press 1 for sales</Say></Response>\\n\";\n"
        "echo $missing;",
        "undefined variable after the TwiML", "wrapped"),
    "deprecated-before-twiml": (
        "<?php header('Content-Type: text/xml'); strlen(null);\n"
        "echo '<Response><Say>Press 1 for sales</Say></Response>';",
        "deprecation before the TwiML", "wrapped"),
    "notice-inside-twiml": (
        "<?php header('Content-Type: text/xml');\n"
        "echo '<Response><Say>Hello '; echo $name; echo '</Say></Response>';",
        "undefined variable inside the TwiML", "unclear"),
    "headers-already-sent": (
        "\n<?php header('Content-Type: text/xml');\n"
        "echo '<?xml version=\"1.0\" encoding=\"UTF-8\"?>' . \"\\n<Response><Say>Press 1 for sales</Say></Response>\";",
        "blank line before <?php, so that header() comes too late", "wrapped"),
    "blank-line": (
        "\n<?php header('Content-Type: text/xml');\n"
        "echo '<?xml version=\"1.0\" encoding=\"UTF-8\"?>' . \"\\n<Response><Say>Press 1 for sales</Say></Response>\";",
        "blank line before <?php", "wrapped"),
    "bom": (
        "\ufeff<?php header('Content-Type: text/xml');\n"
        "echo '<?xml version=\"1.0\" encoding=\"UTF-8\"?>' . \"\\n<Response><Say>Press 1 for sales</Say></Response>\";",
        "source file saved with a BOM", "wrapped"),
    "print-r-before-twiml": (
        "<?php header('Content-Type: text/xml'); print_r(['Digits' => '1']); var_dump(true);\n"
        "echo '<Response><Say>Press 1 for sales</Say></Response>';",
        "print_r and var_dump left in", "wrapped"),
    "empty-die": ("<?php die();", "die() before any output", "empty"),
}


def php(stage):
    program = stage.need("php")
    version = stage.version(program, "-v", pattern=r"PHP (\S+)")
    stage.hide(re.compile(r"PHP/8[.\d]+\S*"), f"PHP/{version.split('-')[0]}")
    for name, (source, _, _) in SCRIPTS.items():
        stage.write(f"www/{name}.php", source)
    html, text, silent, buffered = stage.port(), stage.port(), stage.port(), stage.port()
    common = ["-n", "-d", "error_reporting=-1", "-t", stage.scratch / "www"]
    stage.start([program, *common, "-d", "display_errors=1", "-d", "html_errors=1", "-d", "output_buffering=0",
                 "-S", f"127.0.0.1:{html}"], html)
    stage.start([program, *common, "-d", "display_errors=1", "-d", "html_errors=0", "-S", f"127.0.0.1:{text}"], text)
    stage.start([program, *common, "-d", "display_errors=0", "-S", f"127.0.0.1:{silent}"], silent)
    stage.start([program, *common, "-d", "display_errors=1", "-d", "html_errors=1", "-d", "output_buffering=4096",
                 "-S", f"127.0.0.1:{buffered}"], buffered)
    for name, (_, how, kind) in SCRIPTS.items():
        port, buffering = (buffered, "on") if name in ("blank-line", "bom") else (html, "off")
        how = f"{how}; display_errors on, output_buffering {buffering}"
        stage.take(f"php-{name}", "php", "PHP", version, how, port, path=f"/{name}.php", kind=kind)
    for name in ("fatal-undefined-function", "warning-before-twiml", "uncaught-exception"):
        _, how, kind = SCRIPTS[name]
        stage.take(f"php-{name}-text", "php", "PHP", version, f"{how}; html_errors off", text, path=f"/{name}.php", kind=kind)
    stage.take("php-500-blank", "php", "PHP", version, "undefined function; display_errors off", silent,
               path="/fatal-undefined-function.php", kind="empty")
    stage.take("php-404", "php", "PHP", version, "no such script, built-in server", html, path="/nowhere.php")


RIGS["php"] = php
