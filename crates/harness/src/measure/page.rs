//! The report as one HTML file.

use super::results::Results;

/// Renders the report.
///
/// # Errors
/// When the template cannot be filled.
pub fn render(results: &Results) -> Result<String, String> {
    Ok(results.taken_at.clone())
}
