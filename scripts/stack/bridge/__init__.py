"""What MiniStack lacks of AWS, one module each; delete each when MiniStack has it."""
