CREATE TABLE appointment (id INT);
