"""What is told from process to process and kept nowhere: in one process, beside others on one machine, over NATS to others."""
