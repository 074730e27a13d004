//! The messages of OTLP 1.x that are sent: as Protocol Buffers (prost) and in OTLP's JSON (serde),
//! which writes 64-bit numbers as strings and ids in hexadecimal.

use prost::{Message, Oneof};
use serde::Serializer;
use serde::ser::SerializeSeq as _;

/// Cumulative sums: `AGGREGATION_TEMPORALITY_CUMULATIVE`.
pub(super) const CUMULATIVE: i32 = 2;

macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field:meta])* $key:ident: $type:ty,)* })*) => {
        $($(#[$doc])*
        #[derive(Clone, PartialEq, Message, serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        pub(super) struct $name {
            $($(#[$field])* pub(super) $key: $type,)*
        })*
    };
}

messages! {
    /// `opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest`
    LogsRequest {
        #[prost(message, repeated, tag = "1")]
        resource_logs: Vec<ResourceLogs>,
    }
    /// `opentelemetry.proto.logs.v1.ResourceLogs`
    ResourceLogs {
        #[prost(message, optional, tag = "1")]
        resource: Option<Resource>,
        #[prost(message, repeated, tag = "2")]
        scope_logs: Vec<ScopeLogs>,
    }
    /// `opentelemetry.proto.logs.v1.ScopeLogs`
    ScopeLogs {
        #[prost(message, optional, tag = "1")]
        scope: Option<Scope>,
        #[prost(message, repeated, tag = "2")]
        log_records: Vec<LogRecord>,
    }
    /// `opentelemetry.proto.logs.v1.LogRecord`
    LogRecord {
        #[prost(fixed64, tag = "1")]
        #[serde(serialize_with = "as_text")]
        time_unix_nano: u64,
        #[prost(fixed64, tag = "11")]
        #[serde(serialize_with = "as_text")]
        observed_time_unix_nano: u64,
        #[prost(int32, tag = "2")]
        severity_number: i32,
        #[prost(string, tag = "3")]
        severity_text: String,
        #[prost(message, optional, tag = "5")]
        body: Option<AnyValue>,
        #[prost(message, repeated, tag = "6")]
        attributes: Vec<KeyValue>,
        #[prost(fixed32, tag = "8")]
        flags: u32,
        #[prost(bytes = "vec", tag = "9")]
        #[serde(serialize_with = "as_hex")]
        trace_id: Vec<u8>,
        #[prost(bytes = "vec", tag = "10")]
        #[serde(serialize_with = "as_hex")]
        span_id: Vec<u8>,
        #[prost(string, tag = "12")]
        event_name: String,
    }
    /// `opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest`
    MetricsRequest {
        #[prost(message, repeated, tag = "1")]
        resource_metrics: Vec<ResourceMetrics>,
    }
    /// `opentelemetry.proto.metrics.v1.ResourceMetrics`
    ResourceMetrics {
        #[prost(message, optional, tag = "1")]
        resource: Option<Resource>,
        #[prost(message, repeated, tag = "2")]
        scope_metrics: Vec<ScopeMetrics>,
    }
    /// `opentelemetry.proto.metrics.v1.ScopeMetrics`
    ScopeMetrics {
        #[prost(message, optional, tag = "1")]
        scope: Option<Scope>,
        #[prost(message, repeated, tag = "2")]
        metrics: Vec<Metric>,
    }
    /// `opentelemetry.proto.metrics.v1.Metric`
    Metric {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(string, tag = "2")]
        description: String,
        #[prost(string, tag = "3")]
        unit: String,
        #[prost(oneof = "Data", tags = "5, 7, 9")]
        #[serde(flatten)]
        data: Option<Data>,
    }
    /// `opentelemetry.proto.metrics.v1.Gauge`
    Gauge {
        #[prost(message, repeated, tag = "1")]
        data_points: Vec<NumberPoint>,
    }
    /// `opentelemetry.proto.metrics.v1.Sum`
    Sum {
        #[prost(message, repeated, tag = "1")]
        data_points: Vec<NumberPoint>,
        #[prost(int32, tag = "2")]
        aggregation_temporality: i32,
        #[prost(bool, tag = "3")]
        is_monotonic: bool,
    }
    /// `opentelemetry.proto.metrics.v1.Histogram`
    Histogram {
        #[prost(message, repeated, tag = "1")]
        data_points: Vec<HistogramPoint>,
        #[prost(int32, tag = "2")]
        aggregation_temporality: i32,
    }
    /// `opentelemetry.proto.metrics.v1.NumberDataPoint`, always with `as_double`
    NumberPoint {
        #[prost(message, repeated, tag = "7")]
        attributes: Vec<KeyValue>,
        #[prost(fixed64, tag = "2")]
        #[serde(serialize_with = "as_text")]
        start_time_unix_nano: u64,
        #[prost(fixed64, tag = "3")]
        #[serde(serialize_with = "as_text")]
        time_unix_nano: u64,
        #[prost(double, optional, tag = "4")]
        as_double: Option<f64>,
    }
    /// `opentelemetry.proto.metrics.v1.HistogramDataPoint`
    HistogramPoint {
        #[prost(message, repeated, tag = "9")]
        attributes: Vec<KeyValue>,
        #[prost(fixed64, tag = "2")]
        #[serde(serialize_with = "as_text")]
        start_time_unix_nano: u64,
        #[prost(fixed64, tag = "3")]
        #[serde(serialize_with = "as_text")]
        time_unix_nano: u64,
        #[prost(fixed64, tag = "4")]
        #[serde(serialize_with = "as_text")]
        count: u64,
        #[prost(double, optional, tag = "5")]
        sum: Option<f64>,
        #[prost(fixed64, repeated, tag = "6")]
        #[serde(serialize_with = "as_texts")]
        bucket_counts: Vec<u64>,
        #[prost(double, repeated, tag = "7")]
        explicit_bounds: Vec<f64>,
    }
    /// `ExportLogsServiceResponse` and `ExportMetricsServiceResponse`, which are alike
    Response {
        #[prost(message, optional, tag = "1")]
        partial_success: Option<PartialSuccess>,
    }
    /// `ExportLogsPartialSuccess` and `ExportMetricsPartialSuccess`, which are alike
    PartialSuccess {
        #[prost(int64, tag = "1")]
        #[serde(serialize_with = "as_text")]
        rejected: i64,
    }
    /// `opentelemetry.proto.resource.v1.Resource`
    Resource {
        #[prost(message, repeated, tag = "1")]
        attributes: Vec<KeyValue>,
    }
    /// `opentelemetry.proto.common.v1.InstrumentationScope`
    Scope {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(string, tag = "2")]
        version: String,
    }
    /// `opentelemetry.proto.common.v1.KeyValue`
    KeyValue {
        #[prost(string, tag = "1")]
        key: String,
        #[prost(message, optional, tag = "2")]
        value: Option<AnyValue>,
    }
    /// `opentelemetry.proto.common.v1.AnyValue`
    AnyValue {
        #[prost(oneof = "Any", tags = "1, 2, 3, 4, 5")]
        #[serde(flatten)]
        value: Option<Any>,
    }
    /// `opentelemetry.proto.common.v1.ArrayValue`
    ArrayValue {
        #[prost(message, repeated, tag = "1")]
        values: Vec<AnyValue>,
    }
}

/// What a value is.
#[derive(Clone, PartialEq, Oneof, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::enum_variant_names, reason = "OTLP's own names")]
pub(super) enum Any {
    #[prost(string, tag = "1")]
    StringValue(String),
    #[prost(bool, tag = "2")]
    BoolValue(bool),
    #[prost(int64, tag = "3")]
    IntValue(#[serde(serialize_with = "as_text")] i64),
    #[prost(double, tag = "4")]
    DoubleValue(f64),
    #[prost(message, tag = "5")]
    ArrayValue(ArrayValue),
}

/// What a metric holds.
#[derive(Clone, PartialEq, Oneof, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Data {
    #[prost(message, tag = "5")]
    Gauge(Gauge),
    #[prost(message, tag = "7")]
    Sum(Sum),
    #[prost(message, tag = "9")]
    Histogram(Histogram),
}

impl From<&serde_json::Value> for AnyValue {
    fn from(value: &serde_json::Value) -> Self {
        use serde_json::Value;
        let value = match value {
            Value::Null => None,
            Value::Bool(flag) => Some(Any::BoolValue(*flag)),
            Value::Number(number) => match number.as_i64() {
                Some(number) => Some(Any::IntValue(number)),
                None => number.as_f64().map(Any::DoubleValue),
            },
            Value::String(text) => Some(Any::StringValue(text.clone())),
            Value::Array(values) => {
                let values = values.iter().map(Self::from).collect();
                Some(Any::ArrayValue(ArrayValue { values }))
            }
            Value::Object(_) => Some(Any::StringValue(value.to_string())),
        };
        Self { value }
    }
}

impl KeyValue {
    /// An attribute that is a text.
    pub(super) fn text(key: &str, value: &str) -> Self {
        Self { key: key.to_owned(), value: Some(AnyValue::text(value)) }
    }
}

impl AnyValue {
    /// A text.
    pub(super) fn text(value: &str) -> Self {
        Self { value: Some(Any::StringValue(value.to_owned())) }
    }
}

fn as_text<T: ToString, S: Serializer>(number: &T, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&number.to_string())
}

fn as_texts<S: Serializer>(numbers: &[u64], to: S) -> Result<S::Ok, S::Error> {
    let mut list = to.serialize_seq(Some(numbers.len()))?;
    for number in numbers {
        list.serialize_element(&number.to_string())?;
    }
    list.end()
}

fn as_hex<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    use std::fmt::Write as _;
    let mut text = String::new();
    for byte in bytes {
        // Writing to memory does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    to.serialize_str(&text)
}
