"""Makes src/guard/twiml/derived.rs: TwiML's elements as Twilio's own Python SDK knows them.

    python derive.py           writes the table
    python derive.py --check   exit code 1 and the difference when the table is not what would be written

Every class of the SDK is asked what it nests, and every such method is called with each of its parameters, so that names are those
that the SDK writes, not those of its parameters. The SDK holds no lists of values: those are in src/guard/twiml/values.rs.
tests/e2e/requirements.txt pins the SDK.
"""

import difflib
import importlib.metadata
import inspect
import sys
from pathlib import Path

from twilio.twiml import TwiML, messaging_response, voice_response

SDK = "9.13.0"
OUT = Path(__file__).resolve().parents[2] / "src" / "guard" / "twiml" / "derived.rs"
CHANNELS = {"Voice": (voice_response, "VoiceResponse"), "Messaging": (messaging_response, "MessagingResponse")}
MARK = "x"

# What the SDK lacks, each with what shows that the server reads it: (element, "attribute" or "child" or "channel", name, why).
LACKING = [
    ("Annotate", "child", "BillingReferenceTag", "warnings 13110 to 13120 name both"),
    ("Dial", "attribute", "ifMachine", "warning 13211 names it"),
    ("Response", "attribute", "version", "error 12101 names it"),
    ("Response", "child", "Annotate", "warnings 13110 to 13120 name it"),
    ("Say", "attribute", "rate", "warning 13513 names it"),
    ("Sip", "attribute", "sendDigits", "warning 13242 names it"),
    ("Sms", "channel", "Messaging", "the server's schema messages expect Sms, Message or Redirect in a message"),
]
# Elements that the SDK does not make: whether they hold text.
ADDED_TEXT = {"Annotate": False, "BillingReferenceTag": True}


class Element:
    def __init__(self):
        self.channels, self.children, self.attributes, self.text = set(), set(), set(), False


def instance_of(owner):
    """An instance with what its class insists on."""
    parameters = list(inspect.signature(owner).parameters.values())
    return owner(*[MARK for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD and one.default is one.empty])


def nested(owner):
    """What each method of an SDK class puts inside an instance of it, with every parameter given."""
    own = {name for name, _ in inspect.getmembers(TwiML, inspect.isfunction)}
    for name, method in inspect.getmembers(owner, inspect.isfunction):
        if name in own or name.startswith("_"):
            continue
        kinds = inspect.signature(method).parameters.items()
        parameters = {key: MARK for key, parameter in kinds if key != "self" and parameter.kind is not parameter.VAR_KEYWORD}
        instance = instance_of(owner)
        before = len(instance.verbs)
        method(instance, **parameters)
        yield from instance.verbs[before:]


def read(elements, channel, module, root):
    seen, waiting = set(), [getattr(module, root)]
    while waiting:
        owner = waiting.pop()
        if owner in seen:
            continue
        seen.add(owner)
        name = instance_of(owner).name
        elements.setdefault(name, Element()).channels.add(channel)
        for child in nested(owner):
            elements[name].children.add(child.name)
            inner = elements.setdefault(child.name, Element())
            inner.attributes.update(child.attrs)
            inner.text |= child.value is not None
            waiting.append(type(child))


def derived():
    elements = {}
    for channel, (module, root) in CHANNELS.items():
        read(elements, channel, module, root)
    for name, text in ADDED_TEXT.items():
        elements[name] = Element()
        elements[name].text = text
        elements[name].channels.add("Voice")
    for name, kind, value, why in LACKING:
        known = {"attribute": elements[name].attributes, "channel": elements[name].channels, "child": elements[name].children}[kind]
        if value in known:
            sys.exit(f"the SDK has the {kind} {value} of {name} by now: take it off the list ({why})")
        known.add(value)
    return elements


def words(values):
    return "&[" + ", ".join(f'"{value}"' for value in sorted(values)) + "]"


def table(elements):
    yield "//! TwiML's elements, sorted by name: where each may stand, whether it holds text, its attributes.\n"
    yield "//!\n"
    yield f"//! Made by `tests/grammar/derive.py` from `PyPI`'s `twilio` {SDK}; what that lacks is listed there.\n\n"
    yield "use super::grammar::{Family, Rule};\n\n"
    yield "#[rustfmt::skip]\npub(super) static RULES: &[Rule] = &[\n"
    for name, element in sorted(elements.items()):
        family = "Both" if len(element.channels) == 2 else min(element.channels)
        yield (f'    Rule {{ name: "{name}", family: Family::{family}, text: {str(element.text).lower()}, '
               f"children: {words(element.children)}, attributes: {words(element.attributes)} }},\n")
    yield "];\n"


def main(arguments):
    if arguments not in ([], ["--check"]):
        sys.exit(__doc__)
    found = importlib.metadata.version("twilio")
    if found != SDK:
        sys.exit(f"twilio {found} is installed, the table is made from {SDK}")
    elements = derived()
    made = list(table(elements))
    if not arguments:
        OUT.write_text("".join(made), encoding="utf-8")
    else:
        kept = OUT.read_text(encoding="utf-8").splitlines(keepends=True) if OUT.exists() else []
        wanted = "".join(made).splitlines(keepends=True)
        if kept != wanted:
            sys.stdout.writelines(difflib.unified_diff(kept, wanted, OUT.name, "derived"))
            sys.exit(f"{OUT.name} is not what derive.py makes; run it without --check")
    pairs = sum(len(element.attributes) for element in elements.values())
    print(f"{len(elements)} elements, {pairs} attributes, {len(LACKING)} of all that not from the SDK")


if __name__ == "__main__":
    main(sys.argv[1:])
