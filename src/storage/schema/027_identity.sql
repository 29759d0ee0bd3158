-- Which database this is: a random number that a database made later in the same directory does not have. A worker tells
-- whose it is by it.
INSERT INTO meta (name, value) VALUES ('identity', abs(random() % 9007199254740991));
