"""What Schemathesis makes of the OpenAPI document, sent to the application."""
