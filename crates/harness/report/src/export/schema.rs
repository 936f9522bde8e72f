//! The shape of `results.json`, made from the types that write it.

use measure::results::{Results, SCHEMA};
use schemars::generate::SchemaSettings;

/// The schema as a JSON document (draft 2020-12).
pub fn render() -> String {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<Results>();
    schema.insert("title".to_owned(), format!("results.json of the Deadline Lab, version {SCHEMA}").into());
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use measure::fixtures::whole;
    use serde_json::Value;

    use super::*;

    fn validator() -> jsonschema::Validator {
        jsonschema::draft202012::new(&serde_json::from_str(&render()).unwrap()).unwrap()
    }

    fn document() -> Value {
        serde_json::from_str(&whole().json()).unwrap()
    }

    #[test]
    fn a_document_of_a_run_is_valid() {
        let errors: Vec<String> = validator()
            .iter_errors(&document())
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(errors, [""; 0]);
    }

    #[test]
    fn what_is_missing_or_of_another_type_is_not() {
        let validator = validator();
        let mut missing = document();
        missing.as_object_mut().unwrap().remove("noise");
        assert!(!validator.is_valid(&missing));
        let mut wrong = document();
        wrong["measured"]["storms"][0]["quiet_ms"] = "never".into();
        assert!(!validator.is_valid(&wrong));
        wrong["measured"]["storms"][0]["quiet_ms"] = Value::Null;
        assert!(validator.is_valid(&wrong), "what is not known is null");
    }

    #[test]
    fn the_published_schema_is_the_one_that_the_types_make() {
        let published = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/results.schema.json");
        let published = std::fs::read_to_string(published).unwrap();
        assert!(published == render(), "run `lab docs`");
    }
}
