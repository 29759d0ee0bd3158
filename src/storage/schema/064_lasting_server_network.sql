-- How nodes reach the server in the background that is to be started again; null for what the configuration says.

ALTER TABLE lasting_server ADD COLUMN advertise TEXT;
ALTER TABLE lasting_server ADD COLUMN relay TEXT;
