//! Real services for tests: each is a process of its own in a temporary folder, on a free port of the
//! loopback interface, and ends with the test process, however that ends.

pub mod mariadb;
