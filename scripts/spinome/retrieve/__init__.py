"""Real data from elsewhere: fetched once, checked against a checksum, brought into the formats used inside."""
