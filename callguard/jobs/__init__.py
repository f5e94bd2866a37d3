"""RQ: the wake-up for cancel workers. The truth is the state in Redis; a lost or doubled job does no harm."""
