"""What benches/compare and benches/growth share."""
