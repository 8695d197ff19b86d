// Is the document of the house's API OpenAPI 3.1, in both forms?
import { Validator } from "@seriousme/openapi-schema-validator";

for (const path of ["/openapi.json", "/openapi.yaml"]) {
  const answer = await fetch(process.env.API + path);
  const text = await answer.text();
  const one = new Validator();
  const found = await one.validate(text);
  if (!answer.ok || !found.valid || one.version !== "3.1") {
    console.log(path, answer.status, one.version, JSON.stringify(found.errors).slice(0, 4000));
    process.exit(1);
  }
  if (Object.keys(one.specification.paths).length < 90) {
    console.log(path, "has", Object.keys(one.specification.paths).length, "paths");
    process.exit(1);
  }
  // A validator that takes anything would say nothing: this is no OpenAPI.
  const broken = JSON.parse(JSON.stringify(one.specification));
  broken.paths["/iot/v2/things"].get.responses = "none";
  if ((await new Validator().validate(broken)).valid) {
    console.log("the validator takes anything");
    process.exit(1);
  }
  const resolved = one.resolveRefs();
  if (JSON.stringify(resolved.paths).includes('"$ref"')) {
    console.log(path, "has a reference to nowhere");
    process.exit(1);
  }
  console.log(path, text.length);
}
console.log("ok");
