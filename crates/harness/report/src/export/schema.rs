//! The shape of a run's document, made from the types that write it.

use measure::{registry, watch};
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};
use suite::document::{Document, SCHEMA};

/// The schema as a JSON document (draft 2020-12). Records are plain data to the document; here each measurement's have the
/// shape that the measurement gives them.
pub fn render() -> String {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut records = registry::schemas(&mut generator);
    records.push((watch::NAME, watch::schema(&mut generator)));
    let plan = registry::plan_schema(&mut generator);
    let mut schema = generator.into_root_schema_for::<Document>().to_value();
    schema["title"] = format!("results.json of the Deadline Lab, version {SCHEMA}").into();
    schema["properties"]["schema"]["const"] = SCHEMA.into();
    let about = schema["properties"]["plan"]["description"].take();
    schema["properties"]["plan"] = json!({ "description": about, "anyOf": [plan, { "type": "null" }] });
    let shapes: Vec<Value> = records
        .into_iter()
        .map(|(name, record)| {
            json!({
                "if": { "properties": { "name": { "const": name } } },
                "then": { "properties": { "records": { "items": record } } },
            })
        })
        .collect();
    schema["$defs"]["Measurement"]["allOf"] = shapes.into();
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use measure::fixtures::{empty, everything, whole};

    use super::*;
    use crate::formats;

    fn validator() -> jsonschema::Validator {
        jsonschema::draft202012::new(&serde_json::from_str(&render()).unwrap()).unwrap()
    }

    fn document() -> Value {
        serde_json::from_str(&everything().json()).unwrap()
    }

    /// Returns the errors of a document, by its schema.
    fn errors(document: &str) -> Vec<String> {
        let document = serde_json::from_str(document).unwrap();
        let validator = validator();
        let say = |error: jsonschema::ValidationError<'_>| format!("{}: {error}", error.instance_path());
        validator.iter_errors(&document).map(say).collect()
    }

    #[test]
    fn a_document_of_a_run_is_valid() {
        assert_eq!(errors(&whole().json()), [""; 0]);
        assert_eq!(errors(&everything().json()), [""; 0]);
    }

    #[test]
    fn a_run_that_measured_nothing_is_valid_by_the_same_schema() {
        let mut document = empty(&["x"]).document();
        (document.plan, document.limits) = (None, None);
        assert_eq!(errors(&formats::json(&document)), [""; 0]);
    }

    #[test]
    fn what_is_missing_or_of_another_type_is_not() {
        let validator = validator();
        let mut missing = document();
        missing.as_object_mut().unwrap().remove("noise");
        assert!(!validator.is_valid(&missing));
        let mut wrong = document();
        assert!(validator.is_valid(&wrong));
        wrong["schema"] = 1.into();
        assert!(!validator.is_valid(&wrong), "of another version");
    }

    #[test]
    fn records_have_the_shape_of_their_measurement() {
        let validator = validator();
        let mut wrong = document();
        let storm = wrong["measurements"].as_array_mut().unwrap();
        let storm = storm.iter_mut().position(|one| one["name"] == "storm").unwrap();
        wrong["measurements"][storm]["records"][0]["quiet_ms"] = "never".into();
        assert!(!validator.is_valid(&wrong));
        wrong["measurements"][storm]["records"][0]["quiet_ms"] = Value::Null;
        assert!(validator.is_valid(&wrong), "what is not known is null");
    }

    #[test]
    fn the_published_schema_is_the_one_that_the_types_make() {
        let published = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/results.schema.json");
        let published = std::fs::read_to_string(published).unwrap();
        assert!(published == render(), "run `lab docs`");
    }
}
