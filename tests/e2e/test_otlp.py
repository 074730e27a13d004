"""What an OpenTelemetry collector gets, read with OpenTelemetry's own classes."""

import json
import re
import time

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import SEVERITY_NUMBER_INFO, SEVERITY_NUMBER_WARN
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE

from guard import Guard
from receiver import Receiver
from twilio_side import CALL, call

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
FAST = {"OTEL_BLRP_SCHEDULE_DELAY": "50", "OTEL_METRIC_EXPORT_INTERVAL": "200"}


@pytest.fixture
def start(binary, flask, tmp_path):
    running = []

    def begin(**variables):
        env = {"TWIML_GUARD_STATE_DIR": str(tmp_path / "state"), "NO_PROXY": "127.0.0.1"} | FAST | variables
        guard = Guard(f"http://127.0.0.1:{flask}", env=env)
        running.append(guard)
        return guard

    yield begin
    for guard in running:
        guard.close()


def plain(value):
    kind = value.WhichOneof("value")
    return [plain(own) for own in value.array_value.values] if kind == "array_value" else kind and getattr(value, kind)


def named(attributes):
    names = [own.key for own in attributes]
    assert len(names) == len(set(names)), names
    return {own.key: plain(own.value) for own in attributes}


def records(posts, path="/v1/logs"):
    out = []
    for post in posts:
        if post.path == path:
            for resource in ExportLogsServiceRequest.FromString(post.body).resource_logs:
                for scope in resource.scope_logs:
                    out.extend(scope.log_records)
    return out


def log_records(receiver, count):
    return receiver.until(lambda posts: len(records(posts)) >= count and records(posts))


def until(check, timeout=30):
    deadline = time.monotonic() + timeout
    while not check():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


def test_incidents_arrive_as_log_records(start):
    with Receiver() as collector:
        guard = start(
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url("/"),
            OTEL_EXPORTER_OTLP_HEADERS="x-key=a%20b,x-tenant=pbx",
            OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
            OTEL_SERVICE_NAME="front desk",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment=test%2Cbed,service.name=other",
        )
        private = CALL | {"From": "+15550104477", "Digits": "778899"}
        before = time.time_ns()
        call(guard.port, "/fault/2/html-500?token=hunter2", private, headers=[("traceparent", f"00-{TRACE}-{SPAN}-01")])
        call(guard.port, "/fault/1/html")
        broken, retyped = log_records(collector, 2)
        post = next(post for post in collector.posts if post.path == "/v1/logs")
        assert post.headers["content-type"] == "application/x-protobuf"
        assert post.headers["content-encoding"] == "gzip"
        assert (post.headers["x-key"], post.headers["x-tenant"]) == ("a b", "pbx")
        sent = ExportLogsServiceRequest.FromString(post.body).resource_logs[0]
        resource = named(sent.resource.attributes)
        assert (resource["service.name"], resource["deployment.environment"]) == ("front desk", "test,bed")
        assert resource["service.version"] and resource["service.instance.id"]
        assert sent.scope_logs[0].scope.name == "twiml-guard"

        assert (broken.body.string_value, broken.severity_number, broken.severity_text) == ("replaced", SEVERITY_NUMBER_WARN, "WARN")
        assert (retyped.body.string_value, retyped.severity_number) == ("repaired", SEVERITY_NUMBER_INFO)
        assert broken.event_name == "twiml_guard.incident"
        assert before - 1e9 <= broken.time_unix_nano <= broken.observed_time_unix_nano <= time.time_ns()
        assert (broken.trace_id.hex(), broken.span_id.hex(), broken.flags) == (TRACE, SPAN, 1)
        assert (retyped.trace_id, retyped.span_id) == (b"", b"")

        event = guard.event(lambda event: event.get("message") == "replaced")
        own = named(broken.attributes)
        assert own.pop("outbreak.id") == own["incident.id"]
        expected = {key: value for key, value in event.items() if key not in ("timestamp", "level", "message", "target") and value is not None}
        assert own == expected
        assert own["cause"] == "html-page" and own["backend.status"] == 500 and own["causes"][0] == "html-page"
        everything = b"".join(own.body for own in collector.posts)
        for secret in (b"5550104477", b"778899", b"hunter2"):
            assert secret not in everything
        until(lambda: guard.count("otlp", signal="logs", outcome="sent") == 2)


def test_json_is_spoken_too(start):
    with Receiver() as collector:
        guard = start(OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=collector.url("/own/path"), OTEL_EXPORTER_OTLP_PROTOCOL="http/json")
        call(guard.port, "/fault/2/html-500", headers=[("traceparent", f"00-{TRACE}-{SPAN}-00")])
        post = collector.wait(1)[0]
        assert (post.path, post.headers["content-type"]) == ("/own/path", "application/json")
        sent = json.loads(post.body)
        record = sent["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
        # OTLP's JSON has ids in hexadecimal, where that of Protocol Buffers has base64.
        assert (record.pop("traceId"), record.pop("spanId")) == (TRACE, SPAN)
        assert isinstance(record["timeUnixNano"], str)
        parsed = json_format.ParseDict(sent, ExportLogsServiceRequest())
        own = named(parsed.resource_logs[0].scope_logs[0].log_records[0].attributes)
        assert (own["cause"], own["backend.status"], own["observe"]) == ("html-page", 500, False)


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
def test_metrics_arrive_as_the_ops_port_shows_them(start, protocol):
    with Receiver() as collector:
        guard = start(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url(), OTEL_LOGS_EXPORTER="none", OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=protocol)
        call(guard.port, "/fault/2/html-500")
        call(guard.port, "/voice")

        def read(post):
            if protocol == "http/json":
                request = json_format.ParseDict(json.loads(post.body), ExportMetricsServiceRequest())
            else:
                request = ExportMetricsServiceRequest.FromString(post.body)
            return {own.name: own for own in request.resource_metrics[0].scope_metrics[0].metrics}

        def counted(posts):
            metrics = read(posts[-1]) if posts else {}
            return metrics if metrics and sum(point.as_double for point in metrics["twiml_guard_answers"].sum.data_points) == 2 else None

        metrics = collector.until(counted)
        assert {post.path for post in collector.posts} == {"/v1/metrics"}
        answers = metrics["twiml_guard_answers"].sum
        assert answers.is_monotonic and answers.aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE
        values = {tuple(sorted(named(point.attributes).items())): point.as_double for point in answers.data_points}
        assert values[(("outcome", "replaced"), ("slot", "voice"))] == 1
        duration = metrics["twiml_guard_upstream_duration_seconds"]
        point = next(point for point in duration.histogram.data_points if point.count)
        assert duration.unit == "s" and point.count == 2 == sum(point.bucket_counts) and point.sum > 0
        assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
        assert 0 < point.start_time_unix_nano <= point.time_unix_nano <= time.time_ns()
        shown = {re.sub("_total$", "", name) for name in re.findall(r"^# TYPE (\S+)", guard.metrics(), re.M)}
        assert set(metrics) == shown
        assert metrics["twiml_guard_outbreaks_open"].gauge.data_points[0].as_double == 1  # level="fault"


def test_a_collector_that_was_away_gets_everything_once(start):
    with Receiver() as gone:
        port = gone.port
    guard = start(OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=f"http://127.0.0.1:{port}/v1/logs")
    for _ in range(3):
        call(guard.port, "/fault/2/html-500")
    assert guard.event(lambda event: event.get("message") == "the collector did not take logs")["level"] == "WARN"
    with Receiver((503, {"Retry-After": "1"}, 0), (504, {}, 0), port=port) as back:
        first, second, third = back.wait(3)
        assert first.body and second.at - first.at >= 1 and third.at > second.at
        until(lambda: guard.count("otlp", signal="logs", outcome="sent") == 3)
        taken = [named(own.attributes)["incident.id"] for own in records(back.posts[2:])]
        assert len(taken) == len(set(taken)) == 3
        assert guard.event(lambda event: event.get("message") == "the collector takes logs again")
        warnings = [event for event in guard.events if event.get("message") == "the collector did not take logs"]
        assert len(warnings) == len({event["reason"] for event in warnings}), warnings


def test_what_is_refused_for_good_is_counted_and_not_sent_again(start):
    with Receiver((400, {}, 0)) as collector:
        guard = start(OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=collector.url("/v1/logs"))
        call(guard.port, "/fault/2/html-500")
        until(lambda: guard.count("otlp", signal="logs", outcome="failed") == 1)
        call(guard.port, "/fault/2/html-500")
        assert [len(records([post])) for post in collector.wait(2)] == [1, 1]
        assert collector.posts[0].body != collector.posts[1].body


def test_what_is_rejected_of_a_batch_is_counted(start):
    said = ExportLogsServiceResponse(partial_success=ExportLogsPartialSuccess(rejected_log_records=1, error_message="no"))
    with Receiver((200, {}, 0, said.SerializeToString())) as collector:
        guard = start(OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=collector.url("/v1/logs"), OTEL_BLRP_SCHEDULE_DELAY="300")
        call(guard.port, "/fault/2/html-500")
        call(guard.port, "/fault/2/html-500")
        until(lambda: sum(guard.count("otlp", signal="logs", outcome=outcome) for outcome in ("sent", "failed")) == 2)
        assert guard.count("otlp", signal="logs", outcome="failed") == 1
        assert guard.event(lambda event: event.get("reason") == "rejected some")
        assert sum(len(records([post])) for post in collector.posts) == 2


def test_the_queue_is_bounded_and_what_waits_leaves_before_the_end(start):
    # The delay is long: nothing is sent before the end but what fills a batch.
    with Receiver() as collector:
        guard = start(OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=collector.url("/v1/logs"), OTEL_BLRP_SCHEDULE_DELAY="60000",
                      OTEL_BLRP_MAX_QUEUE_SIZE="20", OTEL_BLRP_MAX_EXPORT_BATCH_SIZE="5")
        for _ in range(7):
            call(guard.port, "/fault/2/html-500")
        assert len(log_records(collector, 5)) == 5
        assert guard.terminate() == 0
        assert len(records(collector.posts)) == 7

    with Receiver() as gone:
        pass
    guard = start(OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=gone.url("/v1/logs"), OTEL_BLRP_MAX_QUEUE_SIZE="4")
    for _ in range(10):
        call(guard.port, "/fault/2/html-500")
    until(lambda: guard.count("otlp", signal="logs", outcome="dropped") == 6)


def test_a_collector_is_trusted_by_its_certificate_alone(start, certificate):
    with Receiver(certificate=certificate) as collector:
        guard = start(OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=collector.url("/v1/logs"), OTEL_EXPORTER_OTLP_CERTIFICATE=str(certificate[0]))
        call(guard.port, "/fault/2/html-500")
        assert len(log_records(collector, 1)) == 1

        wary = start(OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=collector.url("/v1/logs"))
        call(wary.port, "/fault/2/html-500")
        failed = wary.event(lambda event: event.get("message") == "the collector did not take logs")
        assert failed["reason"] == "its certificate is not trusted, not of this time or for another host"
        assert len(collector.posts) == 1


def test_nothing_is_sent_unless_it_can_be(start):
    with Receiver() as collector:
        off = start(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url(), OTEL_SDK_DISABLED="true")
        grpc = start(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url(), OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
        unreadable = start(OTEL_EXPORTER_OTLP_ENDPOINT="https://127.0.0.1:1", OTEL_EXPORTER_OTLP_CERTIFICATE="/nonexistent/ca.pem",
                           OTEL_EXPORTER_OTLP_HEADERS="authorization=hush")
        for guard in (off, grpc, unreadable):
            assert call(guard.port, "/fault/2/html-500").status == 200
            assert guard.terminate() == 0
        assert collector.posts == []
        warning = next(event["reason"] for event in grpc.events if "OTEL_EXPORTER_OTLP_PROTOCOL" in event.get("reason", ""))
        assert "http/protobuf" in warning and "4318" in warning
        assert any("/nonexistent/ca.pem" in event["message"] for event in unreadable.events)
        assert "hush" not in "".join(unreadable.lines)
