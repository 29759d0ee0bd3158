-- Resource requirements with values that come from data: JSON of the fields' texts as in a specification.
CREATE TABLE requirements_from_data (
  resource_requirements_key INTEGER PRIMARY KEY,
  workflow_key INTEGER NOT NULL,
  fields TEXT NOT NULL
) STRICT;
CREATE INDEX requirements_from_data_workflow ON requirements_from_data (workflow_key);
-- What is wrong, for people.
ALTER TABLE holds ADD COLUMN detail TEXT;
