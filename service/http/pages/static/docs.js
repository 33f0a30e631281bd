// validatorUrl: Swagger UI would else send the document's address to a validator elsewhere.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: "none",
  defaultModelsExpandDepth: 0,
});
